"""What a step of training costs in PyTorch, on activations in memory: python training.py ROWS.f32 WIDTH FEATURES BATCH WARM-UP STEPS THREADS START|- L1 PEER

START is a state that `benchmarks warm` wrote; "-" begins as the recipe does. Peers, all of them Adam by autograd:
  plain        the loop everybody writes: mean squared error and L1, nothing about norms
  recipe       towards-monosemanticity as we train it: decoder gradients without their part along the row, rows of unit norm
  plain-fused, recipe-fused    the same with torch.optim.Adam(fused=True)
  saelens      SAELens's SAETrainer and StandardTrainingSAE as they come, the same learning rate and batches
One line of JSON."""
import json
import os
import resource
import sys
import time
import warnings

warnings.filterwarnings("ignore")
os.environ.update(HF_HUB_OFFLINE="1", WANDB_MODE="disabled", TQDM_DISABLE="1")

import numpy
import torch

# The recipe's constant; what it is worth does not matter to what a step costs.
LEARNING_RATE = 1e-3


def usage():
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime, time.perf_counter()


class Batches:
    """Batches in turn of rows in memory, views of them."""

    def __init__(self, rows, size):
        self.rows, self.size, self.at = rows, size, 0

    def next(self):
        if self.at + self.size > len(self.rows):
            self.at = 0
        self.at += self.size
        return self.rows[self.at - self.size:self.at]


def begin(start, width, features, batch):
    """W_enc (features × width), W_dec (features × width), b_enc, b_dec, each with Adam's two moments or none."""
    if start == "-":
        bound = width ** -0.5
        encoder = torch.empty(features, width).uniform_(-bound, bound)
        decoder = torch.nn.functional.normalize(torch.empty(features, width).uniform_(-1, 1), dim=1)
        return [(encoder, None), (decoder, None), (torch.zeros(features), None), (batch.mean(0), None)]
    flat, tensors = torch.from_numpy(numpy.fromfile(start, numpy.float32)), []
    for shape in [(features, width), (features, width), (features,), (width,)]:
        count = int(numpy.prod(shape))
        value, first, second = (part.reshape(shape).clone() for part in flat[:3 * count].split(count))
        flat = flat[3 * count:]
        tensors.append((value, (first, second)))
    return tensors


def loop(rows, batch_size, warm_up, steps, start, l1, keeps_unit_norm, fused):
    batches = Batches(rows, batch_size)
    tensors = begin(start, rows.shape[1], features, rows[:batch_size])
    # As people write it: x @ W_enc, of (width × features).
    tensors[0] = (tensors[0][0].T.contiguous(), tensors[0][1] and tuple(m.T.contiguous() for m in tensors[0][1]))
    W_enc, W_dec, b_enc, b_dec = parameters = [torch.nn.Parameter(value) for value, _ in tensors]
    adam = torch.optim.Adam(parameters, lr=LEARNING_RATE, fused=fused)
    for parameter, (_, moments) in zip(parameters, tensors):
        if moments:
            adam.state[parameter] = {"step": torch.tensor(1000.0), "exp_avg": moments[0], "exp_avg_sq": moments[1]}
    for step in range(warm_up + steps):
        if step == warm_up:
            clock = usage()
        x = batches.next()
        code = torch.relu((x - b_dec) @ W_enc + b_enc)
        reconstruction = code @ W_dec + b_dec
        loss = (reconstruction - x).pow(2).mean() + l1 * code.sum(1).mean()
        adam.zero_grad()
        loss.backward()
        if keeps_unit_norm:
            with torch.no_grad():
                W_dec.grad -= (W_dec.grad * W_dec).sum(1, keepdim=True) * W_dec
        adam.step()
        if keeps_unit_norm:
            with torch.no_grad():
                W_dec /= W_dec.norm(dim=1, keepdim=True)
    return clock, usage(), {"l0": float((code > 0).sum()) / batch_size, "loss": float(loss)}


def saelens(rows, batch_size, warm_up, steps, start, l1):
    from sae_lens import LoggingConfig, SAETrainer, StandardTrainingSAE, StandardTrainingSAEConfig
    from sae_lens.config import SAETrainerConfig
    width, batches, clocks = rows.shape[1], Batches(rows, batch_size), []
    # SAELens sums the error over the width; ours is its mean.
    sae = StandardTrainingSAE(StandardTrainingSAEConfig(d_in=width, d_sae=features, l1_coefficient=l1 * width, l1_warm_up_steps=0, apply_b_dec_to_input=True))
    if start != "-":
        W_enc, W_dec, b_enc, b_dec = (value for value, _ in begin(start, width, features, None))
        sae.load_state_dict({"W_enc": W_enc.T.contiguous(), "W_dec": W_dec, "b_enc": b_enc, "b_dec": b_dec})
    last = {}

    def provider():
        # It is asked for a batch when the step before is done.
        for step in range(warm_up + steps + 1):
            if step in (warm_up, warm_up + steps):
                clocks.append(usage())
            last["x"] = batches.next()
            yield last["x"]

    config = SAETrainerConfig(
        n_checkpoints=0, checkpoint_path=None, save_final_checkpoint=False, total_training_samples=(warm_up + steps + 1) * batch_size, device="cpu", autocast=False,
        lr=LEARNING_RATE, lr_end=LEARNING_RATE, lr_scheduler_name="constant", lr_warm_up_steps=0, adam_beta1=0.9, adam_beta2=0.999, lr_decay_steps=0, n_restart_cycles=1,
        train_batch_size_samples=batch_size, dead_feature_window=1000, feature_sampling_window=2000, logger=LoggingConfig(log_to_wandb=False))
    SAETrainer(cfg=config, sae=sae, data_provider=provider()).fit()
    with torch.no_grad():
        l0 = float((sae.encode(last["x"]) > 0).sum()) / batch_size
    return clocks[0], clocks[1], {"l0": l0}


if __name__ == "__main__":
    width, features, batch_size, warm_up, steps, threads = map(int, sys.argv[2:8])
    start, l1, peer = sys.argv[8], float(sys.argv[9]), sys.argv[10]
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    rows = torch.from_numpy(numpy.fromfile(sys.argv[1], numpy.float32).reshape(-1, width))
    if peer == "saelens":
        clock, end, found = saelens(rows, batch_size, warm_up, steps, start, l1)
    else:
        kind, _, fused = peer.partition("-")
        clock, end, found = loop(rows, batch_size, warm_up, steps, start, l1, {"plain": False, "recipe": True}[kind], fused == "fused")
    samples = steps * batch_size
    print(json.dumps({
        "what": f"PyTorch, {peer}, {threads} thread{'' if threads == 1 else 's'}", "start": "new" if start == "-" else "trained", "features": features, "samples": samples,
        "samples_per_cpu_s": samples / (end[0] - clock[0]), "samples_per_s": samples / (end[1] - clock[1]), **found,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 // 1_000_000}))
