@testable import Commands
import FeatureCatalogue
import Formats
import Foundation
import IngestionSupport
import SQLite
import TestSupport
import Testing

/// What a user sees of lineage, over `LineageWorld`: kinds and numbers are those of its arithmetic.
///
/// Seen to fail: a second parent not marked; a subtree drawn under both parents; candidates shown unasked; children ordered by confidence alone;
/// loops followed; a suggestion printed as a label.
@Suite struct LineageTests {
    @Test func `a family is drawn downwards, over all versions`() throws {
        try withLineage(prepare: { try $0.label("L/0/0", "words of red"); try $0.label("L/2/1", "the second half") }) { ask in
            #expect(ask("lineage", "L/0/0") == (0, """
                feature        kind                   conf.  coverage  keep   top tokens  topic       label, family
                L/0/0 ◂                                                       ‘red’       red 100 %   words of red · 3 children cover 95 %, explain 95 %
                ├─ L/1/1       split, asserted         0.98     100 %   45 %  ‘red’       red 100 %   ≈ words of red (from L/0/0, split, 0.98) · 1 child covers 4.4 %, explains 4.4 % · vanished in L/2
                │  └─ L/2/3    split, likely           0.96      50 %  4.4 %  ‘red’       red 100 %   ≈ words of red (from L/0/0, split, 0.94)
                ├─ L/1/0       split, asserted         0.99     100 %   40 %  ‘red’       red 100 %   ≈ words of red (from L/0/0, split, 0.99) · 2 children cover 100 %, explain 100 %
                │  ├─ L/2/0    split, asserted         0.99     100 %   50 %  ‘red’       red 100 %   ≈ words of red (from L/0/0, split, 0.98)
                │  └─ L/2/1    split, asserted         0.98     100 %   50 %  ‘red’       red 100 %   the second half
                └─ L/1/3       merge (and), asserted   0.96     100 %   10 %  ‘red’       red 100 %   ≈ words of red (from L/0/0, merge (and), 0.96) · vanished in L/2

                split: fires on a part of what its parent fires on
                merge (and): fires where both of its parents do

                """, ""))
        }
    }

    @Test func `a feature with two parents is shown under both and marked, what is below it once`() throws {
        try withLineage { ask in
            #expect(ask("lineage", "L/1/3", "--tier", "candidate").output == """
                feature       kind                   conf.  coverage  keep   top tokens      topic       label, family
                L/0/0                                                        ‘red’           red 100 %   3 children cover 95 %, explain 95 %
                └─ L/1/3 ◂    merge (and), asserted   0.96     100 %   10 %  ‘red’           red 100 %   ⇄ also under L/0/1 · vanished in L/2
                   └─ L/2/4   merge (or), candidate   0.95      50 %  100 %  ‘green’ ‘red’   red 50 %
                L/0/1                                                        ‘blue’ ‘red’    blue 91 %   2 children cover 100 %, explain 100 %
                └─ L/1/3 ◂    merge (and), asserted   0.96     100 %  9.1 %  ‘red’           red 100 %   ⇄ also under L/0/0 · its children stand above

                """)
        }
    }
}
