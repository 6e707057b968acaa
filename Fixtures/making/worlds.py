"""World H: inputs with a planted hierarchy of known directions.

The world (methods after Noa Nabeshima's tree sampler), for a port with its own random numbers:

* 120 nodes with unit directions g_k in d = 64 (normal vectors, normalised). In order: 8 roots; 32 children, of root r
  8 + 4r … 8 + 4r + 3; 64 grandchildren, of child c (0 … 31) 40 + 2c and 40 + 2c + 1; 16 flat nodes, 104 … 119.
* Of a sample, each independently: root r is on with probability .03 + .01·r; a root that is on has child 0, 1, 2 or 3 on with
  probability .2 each, none with .2; a child that is on has grandchild 0 or 1 on with .4 each, none with .2;
  flat node i is on with probability .002 · 25^(i/15), that is .002 to .05 in equal ratios.
* A node that is on adds magnitude · u · g_k, u uniform in [.75, 1.25) for each node and sample; magnitudes are 1 for roots and
  flat nodes, .8 for children, .6 for grandchildren. To every number of the sum is added normal noise of deviation .02.

1.5 nodes are on per sample; 47 % of samples are noise alone.

A node is recovered when some decoder row has a cosine above .9 with a direction that means it. Two such are counted:
its own direction g_k, and its state, Σ magnitude · g over the node and its ancestors, which is what is there whenever the
node is on (roots and flat nodes: the same). `recovered` counts nodes for which either holds: the "state cosine" share.
"""

from __future__ import annotations

import torch
from torch import Tensor

WIDTH, ROOTS, CHILDREN, GRANDCHILDREN, FLAT = 64, 8, 4, 2, 16
NODES = ROOTS + ROOTS * CHILDREN + ROOTS * CHILDREN * GRANDCHILDREN + FLAT
NOISE, JITTER = 0.02, 0.25
MAGNITUDES = torch.tensor([1.0] * ROOTS + [0.8] * (ROOTS * CHILDREN) + [0.6] * (ROOTS * CHILDREN * GRANDCHILDREN) + [1.0] * FLAT)


class WorldH:
    """Directions [120, 64] and samples from them, both by `seed`."""

    def __init__(self, seed: int) -> None:
        self.random = torch.Generator().manual_seed(seed)
        self.directions = torch.nn.functional.normalize(torch.randn(NODES, WIDTH, generator=self.random), dim=1)
        self.root_odds = 0.03 + 0.01 * torch.arange(ROOTS)
        self.flat_odds = 0.002 * 25.0 ** (torch.arange(FLAT) / (FLAT - 1))

    def on(self, count: int) -> Tensor:
        """Which nodes are on, [count, 120]."""

        def uniform(*shape: int) -> Tensor:
            return torch.rand(count, *shape, generator=self.random)

        roots = uniform(ROOTS) < self.root_odds
        child = torch.floor(uniform(ROOTS) / 0.2)  # 4 is none
        children = roots[:, :, None] & (child[:, :, None] == torch.arange(CHILDREN))
        grandchild = torch.floor(uniform(ROOTS, CHILDREN) / 0.4)  # 2 is none
        grandchildren = children[:, :, :, None] & (grandchild[:, :, :, None] == torch.arange(GRANDCHILDREN))
        flat = uniform(FLAT) < self.flat_odds
        return torch.cat([roots, children.flatten(1), grandchildren.flatten(1), flat], dim=1)

    def samples(self, count: int) -> Tensor:
        """[count, 64]"""
        jitter = 1 - JITTER + 2 * JITTER * torch.rand(count, NODES, generator=self.random)
        noise = NOISE * torch.randn(count, WIDTH, generator=self.random)
        return (self.on(count) * MAGNITUDES * jitter) @ self.directions + noise

    def states(self) -> Tensor:
        """Unit directions of the states, [120, 64]."""
        states = self.directions * MAGNITUDES[:, None]
        children, grandchildren = torch.arange(ROOTS * CHILDREN), torch.arange(ROOTS * CHILDREN * GRANDCHILDREN)
        states[ROOTS + children] += states[children // CHILDREN]
        states[ROOTS + len(children) + grandchildren] += states[ROOTS + grandchildren // GRANDCHILDREN]
        return torch.nn.functional.normalize(states, dim=1)


def recovered(world: WorldH, decoder: Tensor) -> dict[str, float]:
    """Shares of the 120 nodes that some decoder row has a cosine above .9 with."""
    rows = torch.nn.functional.normalize(decoder.detach().float(), dim=1)
    direction = (world.directions @ rows.T).max(dim=1).values > 0.9
    state = (world.states() @ rows.T).max(dim=1).values > 0.9
    share = lambda found: found.float().mean().item()
    return {"recovered": share(direction | state), "directions": share(direction), "states": share(state)}
