-- What was run: language models, dictionary versions, and their features as vectors.

CREATE TABLE model (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    architecture TEXT NOT NULL,
    layers INTEGER NOT NULL,
    width INTEGER NOT NULL, -- of the residual stream, d_model
    mlp_width INTEGER NOT NULL,
    vocabulary INTEGER NOT NULL,
    context_length INTEGER NOT NULL,
    weights_sha256 TEXT NOT NULL,
    tokenizer_id INTEGER NOT NULL REFERENCES tokenizer (id),
    UNIQUE (weights_sha256, tokenizer_id)
) STRICT;

-- One version of a dictionary: one sparse autoencoder at one hook point of one model.
CREATE TABLE dictionary (
    id INTEGER PRIMARY KEY,
    family TEXT NOT NULL,
    version TEXT NOT NULL,
    name TEXT NOT NULL UNIQUE CHECK (name = family || '/' || version),
    model_id INTEGER NOT NULL REFERENCES model (id),
    hook TEXT NOT NULL, -- TransformerLens's name
    width INTEGER NOT NULL, -- of the activations it reads, d_in
    features INTEGER NOT NULL, -- d_sae
    architecture TEXT NOT NULL,
    settings TEXT NOT NULL CHECK (json_valid(settings)), -- cfg.json as it was found
    weights_sha256 TEXT NOT NULL
) STRICT;

-- Activations everywhere in the catalogue are f·‖d‖ for unit decoder rows d; activation / activation_scale is the file's own unit.
CREATE TABLE feature (
    id INTEGER PRIMARY KEY, -- dictionary_id · 2³² + feature_index
    dictionary_id INTEGER NOT NULL REFERENCES dictionary (id),
    feature_index INTEGER NOT NULL,
    decoder_norm REAL NOT NULL, -- before it was folded away; 0 for a decoder row of zeros
    activation_scale REAL NOT NULL, -- decoder_norm, or 1 where the file's activations have the norm in them already
    encoder_decoder_cosine REAL,
    CHECK (id = (dictionary_id << 32) + feature_index)
) STRICT;

-- Unit decoder rows, float32 little-endian, (rows × width), 1,024 rows to a block.
CREATE TABLE decoder_block (
    id INTEGER PRIMARY KEY,
    dictionary_id INTEGER NOT NULL REFERENCES dictionary (id),
    first_index INTEGER NOT NULL,
    rows INTEGER NOT NULL,
    vectors BLOB NOT NULL,
    sha256 TEXT NOT NULL, -- of vectors
    UNIQUE (dictionary_id, first_index)
) STRICT;

-- The tokens whose output logits a feature raises (rank 1, 2, …) and lowers (rank −1, −2, …) most, by the direct path
-- through the unembedding: v = (γ ⊙ (u − mean u)) · W_U, u = d · W_out, less v's median over the vocabulary; γ is the
-- final LayerNorm's gain and its 1/σ is left out.
CREATE TABLE feature_logit (
    feature_id INTEGER NOT NULL REFERENCES feature (id),
    rank INTEGER NOT NULL,
    token INTEGER NOT NULL,
    value REAL NOT NULL,
    PRIMARY KEY (feature_id, rank)
) STRICT, WITHOUT ROWID;
