-- The vector index: compact codes of the unit decoder rows, from which every search begins (Sources/Kernels/include/vector_code.h says
-- what they are). Derived from decoder_block and written with it, in two planes: 0 holds the high halves of 8-bit codes in
-- panels of 64 rows, all of which a search reads; 1 the low halves, row by row, of which it reads few.
CREATE TABLE code_block (
    id INTEGER PRIMARY KEY,
    dictionary_id INTEGER NOT NULL REFERENCES dictionary (id),
    plane INTEGER NOT NULL CHECK (plane IN (0, 1)),
    first_index INTEGER NOT NULL, -- a multiple of 64
    codes BLOB NOT NULL,
    sha256 TEXT NOT NULL, -- of codes; panels and rows have checksums of their own, which every search looks at
    UNIQUE (dictionary_id, plane, first_index)
) STRICT;
