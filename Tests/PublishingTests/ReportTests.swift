import FeatureCatalogue
import Formats
import Foundation
import IngestionSupport
import Publishing
import TestSupport
import Testing

@Suite struct ReportTests {
    private func withReports<Result>(_ body: (PlantedCatalogue, Reporter) throws -> Result) throws -> Result {
        try withTemporaryFolder { folder in
            let planted = try PlantedCatalogue(at: folder.appending(path: "c.sqlite").path)
            return try body(planted, Reporter(planted.catalogue, planted.catalogue.run(of: planted.name)))
        }
    }

    @Test func `statistics are those that were planted`() throws {
        try withReports { _, reporter in
            let report = try reporter.report(on: 0, ReportScope())
            #expect(report.statistics.firings == 9)
            #expect(report.statistics.documents == 5)
            #expect(report.statistics.sum == 36.5)
            #expect(report.statistics.sumOfSquares == 204.25)
            #expect(report.statistics.maximum == 8)
            #expect(report.statistics.maximumPosition == 31)
            #expect(report.statistics.lastPosition == 45)
            #expect(report.overview.density == 9.0 / 80)
            // 0.5, 1, 2, 3, 4, 5, 6, 7, 8 in quarter octaves from 2⁻¹: ⌊4·log₂ v⌋ = −4, 0, 4, 6, 8, 9, 10, 11, 12.
            #expect(report.statistics.histogram == ActivationHistogram(first: -4, counts: [1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 1, 0, 1, 1, 1, 1, 1]))
        }
    }

    @Test(arguments: [(0, FeatureStatus.dense), (1, .dense), (2, .insufficient), (3, .dead)])
    func `status follows from the counts`(feature: Int, status: FeatureStatus) throws {
        let found = try withReports { _, reporter in try reporter.report(on: feature, ReportScope()).overview.status }
        #expect(found == status)
    }

    @Test func `topics have the rates, lifts and detectors of arithmetic`() throws {
        try withReports { planted, reporter in
            let topics = try reporter.report(on: 0, ReportScope()).topics
            #expect(topics.map(\.topic) == ["red", "blue"])
            let red = topics[0]
            #expect((red.firings, red.topicTokens, red.documentsFiring, red.topicDocuments) == (8, 40, 4, 4))
            #expect(red.rate == 0.2 && red.share == 8.0 / 9 && abs(red.lift - 0.2 / (9.0 / 80)) < 1e-12 && red.meanWhenActive == 4.5 && red.maximum == 8)
            // Of the first and third documents of a topic, the red reach 2 and 6, the blue 0.5 and nothing: 2 tells them apart. Of the others the red reach 4 and 8, the blue nothing.
            #expect(red.detector == TopicDetector(threshold: 2, precision: 1, recall: 1, f1: 1))
            // All three that fire, of which one is blue, make the best F1, 2/5; of the held-out ones that takes both red and no blue.
            #expect(topics[1].detector == TopicDetector(threshold: 0.5, precision: 0, recall: 0, f1: 0))
            #expect(red.auroc == 1 && topics[1].auroc == 0 && red.massSpecificity == 36 / 36.5)
            // Rates 0.2, 1/40 and 9/80; every red document fires alike, of the blue one differs from the others: less than chance, so φ = 1.
            let z = (2 * (8 * log(0.2 / (9.0 / 80)) + log(1.0 / 40 / (9.0 / 80)))).squareRoot()
            #expect(abs(red.z! - z) < 1e-12 && abs(topics[1].z! + z) < 1e-12)
            // Student's t with 4 degrees of freedom (A&S 26.7.4), the least p of 3 features that fire and 2 topics.
            let sine = z / (4 + z * z).squareRoot(), p = (1 - sine * (1 + (1 - sine * sine) / 2)) / 2
            #expect(abs(red.q! - 6 * p) < 1e-12)
            // Monroe et al., eq. 22, with y = 8 of 40, the rest 1 of 40, α = 500 · 9/80.
            let alpha = 56.25
            let delta = log((8 + alpha) / (40 + 500 - 8 - alpha)) - log((1 + alpha) / (40 + 500 - 1 - alpha))
            #expect(abs(red.logOdds - delta / (1 / (8 + alpha) + 1 / (1 + alpha)).squareRoot()) < 1e-12)
            let byLift = try planted.catalogue.topicRates(of: planted.catalogue.topic(named: "RED", of: 1), in: planted.catalogue.run(of: planted.name), by: .lift)
            #expect(byLift.map(\.feature.index) == [0, 1])
        }
    }

    @Test func `examples are the strongest, at most three of a document, with their windows`() throws {
        try withReports { _, reporter in
            var scope = ReportScope()
            scope.window = 2
            let examples = try reporter.report(on: 0, scope).examples
            #expect(examples.map(\.position) == [31, 30, 21, 20, 11, 10, 1, 0, 45])
            #expect(examples.map(\.activation) == [8, 7, 6, 5, 4, 3, 2, 1, 0.5])
            #expect(examples[0].window.tokens == [30, 31, 32, 33] && examples[0].window.focus == 1)
            #expect(examples[0].activations == [7, 8, 0, 0])
            #expect(examples[0].document.topic == "red" && examples[0].document.line == 4)
            // Feature 1 fires everywhere with 1: three from each document, the earliest.
            let everywhere = try reporter.report(on: 1, scope).examples
            #expect(everywhere.map(\.position) == [0, 1, 2, 10, 11, 12, 20, 21, 22, 30])
        }
    }

    @Test func `intervals are nearest centres and quantiles equal counts`() throws {
        try withReports { _, reporter in
            let report = try reporter.report(on: 0, ReportScope())
            // Centres 0, 0.8, …, 8; 2 is half-way between 1.6 and 2.4 and goes to the lower, 6 likewise.
            #expect(report.intervals.map(\.firings) == [0, 2, 1, 0, 1, 1, 1, 1, 0, 1, 1])
            #expect(report.intervals.map(\.centre) == (0...10).map { 8 * Float($0) / 10 })
            #expect(report.quantiles.map(\.firings) == [Int](repeating: 1, count: 9))
            #expect(report.quantiles.map(\.highest) == [0.5, 1, 2, 3, 4, 5, 6, 7, 8])
        }
    }

    @Test func `neighbours are exact, without the feature itself and without zero rows`() throws {
        try withReports { _, reporter in
            let neighbours = try reporter.report(on: 0, ReportScope()).neighbours
            #expect(neighbours.map(\.feature.index) == [2, 1])
            #expect(neighbours.map(\.cosine) == [0.8, 0.6])
            let silent = try reporter.report(on: 3, ReportScope())
            #expect(silent.neighbours.isEmpty)
        }
    }

    @Test func `raw activations are those of the file`() throws {
        try withReports { _, reporter in
            var scope = ReportScope()
            scope.isRaw = true
            let report = try reporter.report(on: 0, scope)
            #expect(report.statistics.maximum == 4 && report.statistics.sum == 18.25 && report.overview.maximum == 4)
            #expect(report.examples[0].activation == 4)
            #expect(report.topics[0].detector?.threshold == 1)
            #expect(report.statistics.histogram.first == -8)
        }
    }
}
