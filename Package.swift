// swift-tools-version: 6.2
import PackageDescription

/// Modules that hold hot loops stay optimised in debug builds, so that `swift test` runs at speed.
let optimised: [SwiftSetting] = [.unsafeFlags(["-O"])]
let spans: [SwiftSetting] = [.enableExperimentalFeature("Lifetimes")]
/// Only programs and tests link SQLite; a loadable extension borrows its host's.
let sqlite: [LinkerSetting] = [.linkedLibrary("sqlite3")]

/// A library to be loaded into any program that has SQLite: it needs no Swift there, calls that program's SQLite, and shows
/// nothing but its entry, so that two copies in one process stay apart.
let loadable: [LinkerSetting] = [.unsafeFlags(["-emit-library", "-static-stdlib"] + [
    "-z", "defs", "-z", "nodelete", "--gc-sections", "--version-script=\(Context.packageDirectory)/Sources/CatalogueExtension/exports.map",
].flatMap { ["-Xlinker", $0] }), .unsafeFlags(["-Xlinker", "-s"], .when(configuration: .release))]

let package = Package(
    name: "Monoseme",
    products: [
        .executable(name: "monoseme", targets: ["monoseme"]),
        .executable(name: "libmonoseme.so", targets: ["CatalogueExtension"]),
        .library(name: "FeatureCatalogue", targets: ["FeatureCatalogue"]),
        .library(name: "Ingestion", targets: ["Ingestion"]),
    ],
    targets: [
        // The outside world.
        .systemLibrary(name: "CSQLite", providers: [.apt(["libsqlite3-dev"])]),

        // C, where C says it better.
        .target(name: "Kernels", cSettings: [.unsafeFlags(["-O3"])]),
        .target(name: "Assets"),
        .target(name: "SQLiteHost", dependencies: ["CSQLite"]),
        .target(name: "Worker"),
        .target(name: "OpenBLAS", linkerSettings: [.linkedLibrary("dl")]),

        // The ground: no Foundation, no BLAS; small, and started at once.
        .target(name: "Diagnostics"),
        .target(name: "Numerics", dependencies: ["Kernels"], swiftSettings: spans + optimised),
        .target(name: "Formats", dependencies: ["Diagnostics", "Numerics", "Kernels"], swiftSettings: spans + optimised),
        .target(name: "SQLite", dependencies: ["CSQLite"], swiftSettings: spans + optimised),
        .target(name: "FeatureCatalogue", dependencies: ["SQLite", "Numerics", "Formats", "Diagnostics", "Assets", "Kernels"], swiftSettings: spans + optimised),
        .target(name: "SQLFunctions", dependencies: ["FeatureCatalogue", "SQLite", "Formats", "Diagnostics", "Kernels"], swiftSettings: spans + optimised),

        // The machinery: it knows nothing of SQLite.
        .target(name: "LinearAlgebra", dependencies: ["Numerics", "OpenBLAS", "Diagnostics"], swiftSettings: spans + optimised),
        .target(name: "Tokenization", dependencies: ["Formats", "Diagnostics", "Kernels"], swiftSettings: spans + optimised),
        .target(name: "Transformer", dependencies: ["LinearAlgebra", "Formats", "Diagnostics", "Kernels"], swiftSettings: spans + optimised),
        .target(name: "SparseCoding", dependencies: ["Numerics", "Formats", "Diagnostics", "Kernels"], swiftSettings: spans + optimised),
        .target(name: "DictionaryLearning", dependencies: ["SparseCoding", "LinearAlgebra", "Numerics", "Formats", "Diagnostics", "Kernels"], swiftSettings: spans + optimised),

        // The work: where catalogue and machinery meet.
        .target(name: "Ingestion", dependencies: ["FeatureCatalogue", "Tokenization", "Transformer", "SparseCoding", "LinearAlgebra"], swiftSettings: spans + optimised),
        .target(name: "Training", dependencies: ["DictionaryLearning", "Ingestion", "Tokenization", "Transformer", "SparseCoding", "LinearAlgebra", "Numerics", "Formats", "Diagnostics", "Kernels"], swiftSettings: spans + optimised),
        .target(name: "Analyses", dependencies: ["FeatureCatalogue", "Worker", "LinearAlgebra", "SQLite", "Numerics", "Formats", "Diagnostics", "Kernels"], swiftSettings: spans + optimised),
        .target(name: "Labelling", dependencies: ["FeatureCatalogue", "Analyses", "Worker", "SQLite", "Numerics", "Formats", "Diagnostics"], swiftSettings: spans + optimised),
        .target(name: "Importing", dependencies: ["FeatureCatalogue", "Ingestion", "Publishing", "SparseCoding", "Tokenization", "LinearAlgebra", "SQLite", "Numerics", "Formats", "Diagnostics", "Kernels"], swiftSettings: spans + optimised),
        .target(name: "Publishing", dependencies: ["FeatureCatalogue", "SQLite", "Formats", "Diagnostics"], exclude: ["Export.schema.json"], swiftSettings: spans + optimised),

        // The faces.
        .target(name: "Commands", dependencies: ["Analyses", "Labelling", "Importing", "Training", "DictionaryLearning", "Ingestion", "Publishing", "SQLFunctions", "FeatureCatalogue", "SQLite", "Formats", "Diagnostics"], swiftSettings: spans),
        .executableTarget(name: "monoseme", dependencies: ["Commands"], linkerSettings: sqlite + [.unsafeFlags(["-static-stdlib"])]),
        .executableTarget(name: "CatalogueExtension", dependencies: ["SQLFunctions", "SQLite", "CSQLite", "SQLiteHost"], exclude: ["exports.map"], linkerSettings: loadable),

        // The proof.
        .target(name: "TestSupport", dependencies: ["Formats"], path: "Tests/TestSupport"),
        .target(name: "IngestionSupport", dependencies: ["Formats", "FeatureCatalogue", "Numerics", "SQLite", "TestSupport"], path: "Tests/IngestionSupport", swiftSettings: optimised),
        .target(name: "DictionarySupport", dependencies: ["FeatureCatalogue", "SQLite", "Numerics", "Kernels"], path: "Tests/DictionarySupport", swiftSettings: optimised),
        .target(name: "LineageSupport", dependencies: ["FeatureCatalogue", "DictionaryLearning", "Numerics"], path: "Tests/LineageSupport", swiftSettings: optimised),
        .testTarget(name: "IngestionTests", dependencies: ["Ingestion", "SparseCoding", "Transformer", "Tokenization", "FeatureCatalogue", "SQLite", "Diagnostics", "Formats", "IngestionSupport", "TestSupport"], linkerSettings: sqlite),
        .testTarget(name: "TrainingTests", dependencies: ["Training", "DictionaryLearning", "SparseCoding", "FeatureCatalogue", "Ingestion", "Tokenization", "Transformer", "Numerics", "Formats", "Diagnostics", "IngestionSupport", "TestSupport"], linkerSettings: sqlite),
        .testTarget(name: "AnalysesTests", dependencies: ["Analyses", "LineageSupport", "DictionaryLearning", "FeatureCatalogue", "Numerics", "SQLite", "Diagnostics", "TestSupport"], swiftSettings: optimised, linkerSettings: sqlite),
        .testTarget(name: "TagTests", dependencies: ["Analyses", "Ingestion", "Tokenization", "FeatureCatalogue", "SQLite", "Numerics", "Formats", "Diagnostics", "IngestionSupport", "TestSupport"], exclude: ["unicode_blocks.py"], linkerSettings: sqlite),
        .target(name: "LabellingSupport", dependencies: ["Labelling", "FeatureCatalogue", "Numerics", "Formats", "Diagnostics", "TestSupport"], path: "Tests/LabellingSupport"),
        .testTarget(name: "LabellingTests", dependencies: ["Labelling", "LabellingSupport", "FeatureCatalogue", "SQLite", "Numerics", "Formats", "Diagnostics", "IngestionSupport", "TestSupport"], linkerSettings: sqlite),
        .executableTarget(name: "stub-endpoint", dependencies: ["LabellingSupport", "Diagnostics"], path: "Tests/StubEndpoint", linkerSettings: sqlite),
        .testTarget(name: "ImportingTests", dependencies: ["Importing", "Ingestion", "Publishing", "FeatureCatalogue", "SQLite", "Numerics", "Formats", "Diagnostics", "IngestionSupport", "TestSupport"], linkerSettings: sqlite),
        .testTarget(name: "EndToEndTests", dependencies: ["IngestionSupport", "LabellingSupport", "FeatureCatalogue", "Formats", "SQLite", "TestSupport"], linkerSettings: sqlite),
        .testTarget(name: "FormatsTests", dependencies: ["Formats", "Diagnostics", "Numerics", "TestSupport"]),
        .testTarget(name: "PublishingTests", dependencies: ["Publishing", "FeatureCatalogue", "Formats", "IngestionSupport", "TestSupport"], linkerSettings: sqlite),
        .testTarget(name: "CommandsTests", dependencies: ["Commands", "Analyses", "DictionaryLearning", "FeatureCatalogue", "SQLite", "Formats", "IngestionSupport", "TestSupport"], linkerSettings: sqlite),
        .testTarget(name: "SQLFunctionsTests", dependencies: ["SQLFunctions", "FeatureCatalogue", "SQLite", "Numerics", "IngestionSupport", "TestSupport"], swiftSettings: spans, linkerSettings: sqlite),
        .testTarget(name: "ExtensionTests", dependencies: ["CSQLite", "FeatureCatalogue", "IngestionSupport", "TestSupport"], linkerSettings: sqlite),
        .testTarget(name: "SQLiteTests", dependencies: ["SQLite", "CSQLite", "TestSupport"], swiftSettings: spans, linkerSettings: sqlite),
        .testTarget(name: "FeatureCatalogueTests", dependencies: ["FeatureCatalogue", "SQLite", "Numerics", "Formats", "Diagnostics", "Assets", "Kernels", "DictionarySupport", "TestSupport"],
                    swiftSettings: spans, linkerSettings: sqlite),
        .testTarget(name: "TokenizationTests", dependencies: ["Tokenization", "Formats", "Diagnostics", "Kernels", "TestSupport"], exclude: ["unicode_tables.py"]),
        .testTarget(name: "TransformerTests", dependencies: ["Transformer", "Formats", "Diagnostics", "Numerics", "Kernels", "TestSupport"]),
        .testTarget(name: "SparseCodingTests", dependencies: ["SparseCoding", "Formats", "Diagnostics", "Numerics", "Kernels", "TestSupport"]),
        .testTarget(name: "DictionaryLearningTests", dependencies: ["DictionaryLearning", "SparseCoding", "Formats", "Diagnostics", "Numerics", "Kernels", "TestSupport"], swiftSettings: optimised),

        // The price: see Tests/Benchmarks/import.sh, ingest.sh, lineage.sh, search.sh, train.sh and vector.sh.
        .executableTarget(name: "benchmarks", dependencies: ["Analyses", "Importing", "LineageSupport", "Training", "DictionaryLearning", "Ingestion", "Tokenization", "Transformer", "FeatureCatalogue", "SQLite", "Numerics", "LinearAlgebra", "DictionarySupport", "Formats", "Diagnostics"], path: "Tests/Benchmarks", exclude: ["import.sh", "ingest.sh", "lineage.sh", "search.sh", "train.sh", "vector.sh", "peers"], swiftSettings: spans + optimised, linkerSettings: sqlite),
        .testTarget(name: "BenchmarksTests", dependencies: ["benchmarks", "DictionarySupport", "Formats", "Numerics"], linkerSettings: sqlite),
    ],
    swiftLanguageModes: [.v6],
    cLanguageStandard: .c2x
)
