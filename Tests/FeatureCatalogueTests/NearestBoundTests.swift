import DictionarySupport
import FeatureCatalogue
import Numerics
import Testing

/// Dictionaries made against the codes: a bound that is 1 % tighter than what is proven loses a neighbour here.
@Suite struct NearestBoundTests {
    @Test(arguments: AdversarialCodes.Term.allCases, [256, 512, 2304, 4096]) func `a neighbour that its code speaks against as far as it can is found`(term: AdversarialCodes.Term, width: Int) throws {
        var codes = AdversarialCodes(width: width)
        for spike in term == .queryError || width > 4000 ? [0] : [0, 0.3, 0.7] {
            for k in [1, 5] {
                let attack = codes.attack(on: term, spike: spike, k: k), comment: Comment = "spike \(spike), k \(k)"
                // The attack is one: the bound is attained, and the victim is the last of the k.
                let filled = codes.filled(term, attack.rows[attack.victim], attack.query)
                #expect((0.994...1).contains(filled), comment)
                #expect(attack.nearest.last == attack.victim, comment)
                let (catalogue, dictionary) = try catalogue(of: Matrix(rows: attack.rows.count, columns: width, attack.rows.joined().map { $0 }))
                #expect(try catalogue.nearest(to: attack.query, in: dictionary, k: k).map(\.feature) == attack.nearest, comment)
            }
        }
    }
}
