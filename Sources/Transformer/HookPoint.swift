/// A place in a model where activations are read or replaced, by TransformerLens's name: `blocks.0.mlp.hook_post`.
public struct HookPoint: Hashable, Sendable, LosslessStringConvertible {
    /// The layer, counted from 0.
    public let layer: Int
    public let site: Site

    /// What is read within a layer, in the order in which a layer computes it.
    public enum Site: String, CaseIterable, Sendable {
        /// The residual stream as the layer receives it.
        case residualBefore = "hook_resid_pre"
        /// The heads' results side by side (heads × head width), before they are projected.
        case headResults = "attn.hook_z"
        /// What attention adds to the residual stream.
        case attentionOut = "hook_attn_out"
        /// The residual stream between attention and MLP; not in models that compute both from one stream.
        case residualBetween = "hook_resid_mid"
        /// The MLP's neurons before their activation function.
        case neuronsBefore = "mlp.hook_pre"
        /// The MLP's neurons.
        case neurons = "mlp.hook_post"
        /// What the MLP adds to the residual stream.
        case mlpOut = "hook_mlp_out"
        /// The residual stream as the layer leaves it, before any final norm.
        case residualAfter = "hook_resid_post"
    }

    public init(layer: Int, site: Site) {
        self.layer = layer
        self.site = site
    }

    /// Reads `blocks.<layer>.<site>`; `nil` for anything else.
    public init?(_ description: String) {
        let parts = description.split(separator: ".", maxSplits: 2, omittingEmptySubsequences: false)
        guard parts.count == 3, parts[0] == "blocks", let layer = Int(parts[1]), String(layer) == parts[1], layer >= 0,
            let site = Site(rawValue: String(parts[2]))
        else { return nil }
        self.init(layer: layer, site: site)
    }

    public var description: String { "blocks.\(layer).\(site.rawValue)" }
}
