@testable import Commands
import FeatureCatalogue
import Formats
import Foundation
import IngestionSupport
import TestSupport
import Testing

/// Everything `monoseme topics` prints about topics, whole, on catalogues whose every number follows from arithmetic.
///
/// Mutations tried, each seen to fail a test here: the filter of significance left out; families of one member told as families; the first and not
/// the surest parent; the heat map's rows not grouped; a topic's name printed as it is.
@Suite struct TopicsTests {
    /// Six documents each of red, blue and a hostile name, then one of "one": ten tokens each.
    static let hostile = "\u{1b}[2Jעברית漢"
    static func world() -> TopicWorld {
        let documents = 0..<19
        func every(_ topic: Range<Int>, _ places: [(Int, Float)]) -> [(position: Int, value: Float)] { topic.flatMap { document in places.map { (document * 10 + $0.0, $0.1) } } }
        var world = TopicWorld(topics: documents.map { ["red", "blue", hostile, "one"][$0 / 6] }, fine: [
            every(0..<6, [(0, 3), (1, 2), (2, 1)]) + [(60, 0.5), (120, 0.25)],
            every(documents, (0..<10).map { ($0, 1) }),
            [],
            [(185, 4)],
            every(0..<6, [(5, 1), (6, 1)]),
            every(6..<12, [(5, 1), (6, 1)]),
        ])
        world.coarse = [[(3, 1)], [(4, 1)], every(0..<12, [(5, 1), (6, 1)])]
        // 0 is all there is of its family.
        world.parents = [1, nil, nil, nil, 2, 2]
        return world
    }

    static func ask(_ words: [String], _ world: TopicWorld = world(), terminal: Terminal = .plain) throws -> (status: Int32, output: String, errors: String) {
        try withTemporaryFolder { folder in
            let path = folder.appending(path: "c.sqlite").path
            try world.write(to: path)
            let output = Output.memory(), errors = Output.memory()
            let status = program.run(["topics"] + words + ["--catalogue", path], environment: Environment([:]), output: output, errors: errors, terminal: terminal, errorTerminal: .plain)
            return (status, output.text, errors.text.replacingOccurrences(of: path, with: "FILE"))
        }
    }

    struct Answer: Sendable, CustomTestStringConvertible {
        let words: [String]
        let status: Int32
        let output, errors: String
        var testDescription: String { words.joined(separator: " ") }

        init(_ words: [String], status: Int32 = 0, _ output: String, errors: String = "") { (self.words, self.status, self.output, self.errors) = (words, status, output, errors) }
    }

    private func check(_ answer: Answer, _ world: TopicWorld) throws {
        let found = try TopicsTests.ask(answer.words, world)
        #expect(found.output == answer.output)
        #expect(found.errors == answer.errors && found.status == answer.status)
    }

    @Test(arguments: whole) func `answers are these, word for word`(answer: Answer) throws { try check(answer, TopicsTests.world()) }

    @Test(arguments: thin) func `a run that kept only the strongest firings says what it cannot tell`(answer: Answer) throws {
        var world = TopicsTests.world()
        world.keepTop = 4
        try check(answer, world)
    }

    @Test(arguments: unfinished) func `an unfinished run gives counts`(answer: Answer) throws {
        var world = TopicsTests.world()
        world.isFinished = false
        try check(answer, world)
    }

    @Test(arguments: [["W/1/0", "--matrix", "W/1"], ["--compare", "red", "--in", "W/1"], ["--compare", "red", "blue"], ["--compare", "red", "RED", "--in", "W/1"], ["--counterexamples"], ["W/1/0", "--families", "yes"],
                      ["W/1/0", "--by", "specificity"], ["--compare", "red", "blue", "--in", "W/1", "--by", "f1"], ["--topic", "red", "--in", "W/1", "--families", "no"], ["--matrix", "W/1", "--min-documents", "2"]])
    func `options that say nothing together are a wrong use`(words: [String]) throws {
        let answer = try TopicsTests.ask(words)
        #expect(answer.status == 2 && answer.output == "" && answer.errors.hasPrefix("monoseme: ") && answer.errors.contains("hint: "))
    }

    @Test(arguments: [["W/1/0"], ["--topic", "red", "--in", "W/1", "--all"], ["W/1/0", "--counterexamples"], ["--compare", "red", "blue", "--in", "W/1", "--all"], ["--matrix", "W/1"]])
    func `rows for programs are the same in each form`(words: [String]) throws {
        let rows = try #require(try JSON(parsing: TopicsTests.ask(words + ["--json"]).output).array)
        #expect(try TopicsTests.ask(words + ["--jsonl"]).output.split(separator: "\n").map { try JSON(parsing: String($0)) } == rows)
        if words[0] != "--matrix" { #expect(try TopicsTests.ask(words + ["--csv"]).output.hasPrefix(rows[0].object!.members.map(\.key).joined(separator: ",") + "\n")) }
    }

    @Test func `of ten thousand topics some are drawn, and the hint names those that are most alike`() throws {
        var world = TopicsTests.world()
        world.topics += (0..<3_000).map { "topic \($0 / 2)" }
        let drawn = try TopicsTests.ask(["--matrix", "W/1", "-k", "1"], world)
        #expect(drawn.status == 0 && drawn.output.contains(" of 1,504 topics fit"))
        let unknown = try TopicsTests.ask(["--topic", "topic 1499x", "--in", "W/1"], world)
        #expect(unknown.status == 1 && unknown.errors.contains("\n  hint: its topics are topic 1499, topic 149, topic 1490, "))
        #expect(unknown.errors.count < 1_000)
    }
}

extension TopicsTests {
    // z, p, q and entropies in these are SciPy's, too (stats.t over the formula in TopicEvidence.swift).
    /// Answers of a whole run.
    static let whole: [Answer] = [
        Answer(["W/1/0"], #"""
            W/1/0  no label yet
            dense: 20 firings in 8 documents; ● q ≤ 0.05 on 1 of 4 topics
            Its mass is spread over 20 tokens, as evenly as over 17; the first, ‘ w0’, makes 8.2 %.

               topic        documents  firings   rate   lift    mass     z       q    F1  precision  recall  AUROC
            ●  red          6/6             18   30 %   2.85    98 %   5.5  0.0056  1.00       1.00    1.00   1.00
               ␛[2Jעברית漢  1/6              1  1.7 %  0.158  0.68 %  -2.4  1.0000  0.00       0.00    0.00   0.25
               blue         1/6              1  1.7 %  0.158   1.4 %  -2.4  1.0000  0.00       0.00    0.00   0.25

            """#),
        Answer(["W/1/1"], #"""
            W/1/1  no label yet
            dense: 190 firings in 19 documents; ● q ≤ 0.05 on 0 of 4 topics
            Its mass is spread over 190 tokens, as evenly as over 190; the first, ‘ w0’, makes 0.53 %.

              topic        documents  firings   rate  lift   mass    z       q    F1  precision  recall  AUROC
              ␛[2Jעברית漢  6/6             60  100 %  1.00   32 %  0.0  1.0000  0.50       0.33    1.00   0.50
              blue         6/6             60  100 %  1.00   32 %  0.0  1.0000  0.50       0.33    1.00   0.50
              red          6/6             60  100 %  1.00   32 %  0.0  1.0000  0.50       0.33    1.00   0.50
              one          1/1             10  100 %  1.00  5.3 %    -       -     -          -       -      -

            """#),
        Answer(["W/1/2"], #"""
            W/1/2  no label yet
            dead: it never fired in 190 tokens, and nothing can be said of its topics.

            """#),
        Answer(["W/1/3"], #"""
            W/1/3  no label yet
            insufficient: 1 firing in 1 document
            It fires too rarely for its topics to be told: read the counts, and not the rates.
            It fires on one token only: ‘ w185’.

              topic  documents  firings  rate  lift   mass  z  q  F1  precision  recall  AUROC
              one    1/1              1  10 %  19.0  100 %  -  -  -   -          -       -

            """#),
        Answer(["W/1/0", "--json"], #"""
            [
            {"feature":"W/1/0","significant":true,"topic":"red","documents_firing":6,"topic_documents":6,"firings":18,"topic_tokens":60,"rate":0.3,"lift":2.85,"share":0.9,"mass_specificity":0.9795918367346939,"mean_when_active":2,"maximum":3,"log_odds":2.324208326786904,"z":5.478238942301035,"q":0.005566223731872643,"f1":1,"precision":1,"recall":1,"auroc":1,"threshold":3,"top_token":" w0","top_token_share":0.08163265306122448,"token_entropy":4.1240444533266825},
            {"feature":"W/1/0","significant":false,"topic":"\u001b[2Jעברית漢","documents_firing":1,"topic_documents":6,"firings":1,"topic_tokens":60,"rate":0.016666666666666666,"lift":0.15833333333333335,"share":0.05,"mass_specificity":0.006802721088435374,"mean_when_active":0.25,"maximum":0.25,"log_odds":-1.0613165267935272,"z":-2.400185089970534,"q":1,"f1":0,"precision":0,"recall":0,"auroc":0.25,"threshold":0.25,"top_token":" w0","top_token_share":0.08163265306122448,"token_entropy":4.1240444533266825},
            {"feature":"W/1/0","significant":false,"topic":"blue","documents_firing":1,"topic_documents":6,"firings":1,"topic_tokens":60,"rate":0.016666666666666666,"lift":0.15833333333333335,"share":0.05,"mass_specificity":0.013605442176870748,"mean_when_active":0.5,"maximum":0.5,"log_odds":-1.0613165267935272,"z":-2.400185089970534,"q":1,"f1":0,"precision":0,"recall":0,"auroc":0.25,"threshold":0.5,"top_token":" w0","top_token_share":0.08163265306122448,"token_entropy":4.1240444533266825}
            ]

            """#),
        Answer(["--topic", "red", "--in", "W/1"], #"""
            red  6 documents, 60 tokens
            2 of 6 features fire more often on it with q ≤ 0.05; left out without --all: 1 more that fire in its documents

            feature  label  top token  its mass  documents  firings  rate  lift   mass    z    F1  precision  recall  AUROC
            W/1/4    -       w5           8.3 %  6/6             12  20 %  3.17  100 %  5.3  1.00       1.00    1.00   1.00
            W/1/0    -       w0           8.2 %  6/6             18  30 %  2.85   98 %  5.5  1.00       1.00    1.00   1.00

            """#),
        Answer(["--topic", "red", "--in", "W/1", "--all"], #"""
            red  6 documents, 60 tokens
            2 of 6 features fire more often on it with q ≤ 0.05; left out without --all: 1 more that fire in its documents

               feature  label  top token  its mass  documents  firings   rate  lift   mass    z    F1  precision  recall  AUROC
            ●  W/1/4    -       w5           8.3 %  6/6             12   20 %  3.17  100 %  5.3  1.00       1.00    1.00   1.00
            ●  W/1/0    -       w0           8.2 %  6/6             18   30 %  2.85   98 %  5.5  1.00       1.00    1.00   1.00
               W/1/1    -       w0          0.53 %  6/6             60  100 %  1.00   32 %  0.0  0.50       0.33    1.00   0.50

            """#),
        Answer(["--topic", "one", "--in", "W/1"], #"""
            one  1 document, 10 tokens
            Nothing can be tested on one document: these are counts.

            feature  label  top token  its mass  documents  firings   rate  lift   mass
            W/1/1    -       w0          0.53 %  1/1             10  100 %  1.00  5.3 %
            W/1/3    -       w185         100 %  1/1              1   10 %  19.0  100 %

            """#),
        Answer(["--topic", "red", "--in", "W/1", "--csv"], #"""
            significant,topic,feature,label,top_token,top_token_share,token_entropy,documents_firing,topic_documents,firings,topic_tokens,rate,lift,share,mass_specificity,mean_when_active,maximum,log_odds,z,q,f1,precision,recall,auroc,threshold
            true,red,W/1/4,," w5",0.08333333333333333,3.584962500721156,6,6,12,60,0.2,3.1666666666666665,1,1,1,1,2.008836024055246,5.2596870856089195,0.0065994442760904685,1,1,1,1,1
            true,red,W/1/0,," w0",0.08163265306122448,4.1240444533266825,6,6,18,60,0.3,2.85,0.9,0.9795918367346939,2,3,2.324208326786904,5.478238942301035,0.005566223731872643,1,1,1,1,3

            """#, errors: #"""
            monoseme: left out: 1 feature without a difference at q ≤ 0.05; --all lists all

            """#),
        Answer(["--matrix", "W/1"], #"""
            W/1  6 features × 4 topics of planted.jsonl
            3 features fire more often on some topic with q ≤ 0.05.
            Drawn: 3 features, the first of each topic by z.
            z: ░ below 5  ▒ from 5  ▓ from 10  █ from 20

                         ␛[2Jע blue  one   red
            blue  W/1/5        ▒▒▒▒▒              ‘ w65’
            red   W/1/0                    ▒▒▒▒▒  ‘ w0’
                  W/1/4                    ▒▒▒▒▒  ‘ w5’

            """#),
        Answer(["--matrix", "W/1", "--csv"], #"""
            feature,\#u{1b}[2Jעברית漢,blue,one,red
            W/1/0,-2.400185089970534,-2.400185089970534,,5.478238942301035
            W/1/1,0,0,,0
            W/1/2,,,,
            W/1/3,,,,
            W/1/4,,,,5.2596870856089195
            W/1/5,,5.2596870856089195,,

            """#),
        Answer(["--matrix", "W/1", "--json", "--by", "lift"], #"""
            [
            {"feature":"W/1/0","lift":{"\u001b[2Jעברית漢":0.15833333333333335,"blue":0.15833333333333335,"red":2.85}},
            {"feature":"W/1/1","lift":{"\u001b[2Jעברית漢":1,"blue":1,"one":1,"red":1}},
            {"feature":"W/1/2","lift":{}},
            {"feature":"W/1/3","lift":{"one":19}},
            {"feature":"W/1/4","lift":{"red":3.1666666666666665}},
            {"feature":"W/1/5","lift":{"blue":3.1666666666666665}}
            ]

            """#),
        Answer(["W/1/0", "--counterexamples"], #"""
            W/1/0  no label yet
            Its main topic is red: 90 % of its firings, 98 % of its mass, q = 0.0056.
            Outside: 2 firings of 20 (10 %) with 2.0 % of the mass, in 2 documents of 2 topics.

            activation  topic        document  text
                 0.500  blue                6  « w60» w61 w62 w63 w64 w65 w66 w67 w68 w69
                 0.250  ␛[2Jעברית漢        12  « w120» w121 w122 w123 w124 w125 w126 w127 w128 w129

            """#),
        Answer(["W/1/0", "--counterexamples", "--csv"], #"""
            feature,outside,activation,topic,document,position,position_in_document,source,line,text,token
            W/1/0,red,0.5,blue,6,60,0,planted.jsonl,7," w60 w61 w62 w63 w64 w65 w66 w67 w68 w69"," w60"
            W/1/0,red,0.25,\#u{1b}[2Jעברית漢,12,120,0,planted.jsonl,13," w120 w121 w122 w123 w124 w125 w126 w127 w128 w129"," w120"

            """#),
        Answer(["W/1/1", "--counterexamples"], status: 1, "", errors: #"""
            monoseme: W/1/1 has no main topic: it fires more often on no topic with q ≤ 0.05
              hint: name one with --topic; most of its firings are on "\u{1b}[2Jעברית漢"

            """#),
        Answer(["W/1/2", "--counterexamples"], status: 1, "", errors: #"""
            monoseme: W/1/2 never fires: there is nothing to look for outside of a topic

            """#),
        Answer(["W/1/0", "--counterexamples", "--topic", "one"], #"""
            W/1/0  no label yet
            The topic is one: 0 % of its firings, 0 % of its mass.
            Outside: 20 firings of 20 (100 %) with 100 % of the mass, in 8 documents of 3 topics.

            activation  topic        document  text
                  3.00  red                 0  « w0» w1 w2 w3 w4 w5 w6 w7 w8 w9
                  3.00  red                 1  « w10» w11 w12 w13 w14 w15 w16 w17 w18 w19
                  3.00  red                 2  « w20» w21 w22 w23 w24 w25 w26 w27 w28 w29
                  3.00  red                 3  « w30» w31 w32 w33 w34 w35 w36 w37 w38 w39
                  3.00  red                 4  « w40» w41 w42 w43 w44 w45 w46 w47 w48 w49
                  3.00  red                 5  « w50» w51 w52 w53 w54 w55 w56 w57 w58 w59
                  2.00  red                 0   w0« w1» w2 w3 w4 w5 w6 w7 w8 w9
                  2.00  red                 1   w10« w11» w12 w13 w14 w15 w16 w17 w18 w19
                  2.00  red                 2   w20« w21» w22 w23 w24 w25 w26 w27 w28 w29
                  2.00  red                 3   w30« w31» w32 w33 w34 w35 w36 w37 w38 w39
                  2.00  red                 4   w40« w41» w42 w43 w44 w45 w46 w47 w48 w49
                  2.00  red                 5   w50« w51» w52 w53 w54 w55 w56 w57 w58 w59
                  1.00  red                 0   w0 w1« w2» w3 w4 w5 w6 w7 w8 w9
                  1.00  red                 1   w10 w11« w12» w13 w14 w15 w16 w17 w18 w19
                  1.00  red                 2   w20 w21« w22» w23 w24 w25 w26 w27 w28 w29
                  1.00  red                 3   w30 w31« w32» w33 w34 w35 w36 w37 w38 w39
                  1.00  red                 4   w40 w41« w42» w43 w44 w45 w46 w47 w48 w49
                  1.00  red                 5   w50 w51« w52» w53 w54 w55 w56 w57 w58 w59
                 0.500  blue                6  « w60» w61 w62 w63 w64 w65 w66 w67 w68 w69
                 0.250  ␛[2Jעברית漢        12  « w120» w121 w122 w123 w124 w125 w126 w127 w128 w129

            """#),
        Answer(["--compare", "red", "blue", "--in", "W/1", "--families", "no"], #"""
            red  6 documents, 60 tokens
            blue  6 documents, 60 tokens
            Compared: 6 features, each by itself; tested: 4, which fire in 3 documents or more.
            More often with q ≤ 0.05: 2 on red, 1 on blue.

            more on  feature  members  label  top tokens            documents  firings        lift     z       q
            red      W/1/0    -        -      ‘ w0’ ‘ w10’ ‘ w20’       6 · 1   18 · 1  2.9 · 0.16   4.3  0.0127
            red      W/1/4    -        -      ‘ w5’ ‘ w6’ ‘ w15’        6 · 0   12 · 0     3.2 · 0   4.1  0.0127
            blue     W/1/5    -        -      ‘ w65’ ‘ w66’ ‘ w75’      0 · 6   0 · 12     0 · 3.2  -4.1  0.0127

            """#),
        Answer(["--compare", "red", "blue", "--in", "W/1"], #"""
            red  6 documents, 60 tokens
            blue  6 documents, 60 tokens
            Compared: 5 families and features (features that came of the same feature of W/0 are counted together: 1 family); tested: 3, which fire in 3 documents or more.
            More often with q ≤ 0.05: 1 on red, 0 on blue.

            more on  feature  members  label  top tokens           documents  firings        lift    z       q
            red      W/1/0    -        -      ‘ w0’ ‘ w10’ ‘ w20’      6 · 1   18 · 1  2.9 · 0.16  4.3  0.0153

            """#),
        Answer(["--compare", "red", "blue", "--in", "W/1", "--csv"], #"""
            more_on,feature,family,members,label,top_tokens,documents_first,firings_first,rate_first,documents_second,firings_second,rate_second,lift_first,lift_second,z,q
            red,W/1/0,W/0/1,[0],,‘ w0’ ‘ w10’ ‘ w20’,6,18,0.3,1,1,0.016666666666666666,2.85,0.15833333333333333,4.301661880856644,0.01525063365482349

            """#, errors: #"""
            monoseme: left out: 2 families and features without a difference at q ≤ 0.05; --all lists all

            """#),
        Answer(["--compare", "red", "blue", "--in", "W/1", "--all"], #"""
            red  6 documents, 60 tokens
            blue  6 documents, 60 tokens
            Compared: 5 families and features (features that came of the same feature of W/0 are counted together: 1 family); tested: 3, which fire in 3 documents or more.
            More often with q ≤ 0.05: 1 on red, 0 on blue.

            more on  feature  members  label  top tokens           documents  firings        lift    z       q
            red      W/1/0          -  -      ‘ w0’ ‘ w10’ ‘ w20’      6 · 1   18 · 1  2.9 · 0.16  4.3  0.0153
            -        W/1/1          -  -      ‘ w0’ ‘ w1’ ‘ w2’        6 · 6  60 · 60   1.0 · 1.0  0.0  1.0000
            -        W/0/2          2  -      ‘ w5’ ‘ w6’ ‘ w15’       6 · 6  12 · 12   1.6 · 1.6  0.0  1.0000

            """#),
        Answer(["--compare", "red", "one", "--in", "W/1"], status: 1, "", errors: #"""
            monoseme: topic "one" has one document: nothing can be tested on fewer than two
              hint: compare sets with more documents

            """#),
        Answer(["--compare", "red", "blue", "--in", "W/0", "--families", "yes"], status: 1, "", errors: #"""
            monoseme: there is no complete lineage to W/0: its features have no families
              hint: monoseme lineage build A/0 W/0, with the smaller version in the place of A/0

            """#),
        Answer(["--compare", "red", "planted", "--in", "W/0"], status: 1, "", errors: #"""
            monoseme: topic "red" and file "planted.jsonl" share documents
              hint: compare two topics, or two files of the corpus

            """#),
        Answer(["--in", "W/1"], #"""
            topic        documents  tokens
            ␛[2Jעברית漢          6      60
            blue                 6      60
            one                  1      10
            red                  6      60

            """#),
    ]

    /// Answers of a run that kept only the strongest firings.
    static let thin: [Answer] = [
        Answer(["W/1/0"], #"""
            W/1/0  no label yet
            dense: 20 firings in 8 documents
            W/1 keeps only the 4 strongest firings of each feature (--keep top): counts are of all firings; z, q and AUROC are missing where firings were left out.

              topic        documents  firings   rate   lift    mass  z  q    F1  precision  recall  AUROC
              red          6/6             18   30 %   2.85    98 %  -  -  0.80       1.00    0.67  -
              ␛[2Jעברית漢  1/6              1  1.7 %  0.158  0.68 %  -  -     -          -       -  -
              blue         1/6              1  1.7 %  0.158   1.4 %  -  -     -          -       -  -

            """#),
        Answer(["--topic", "red", "--in", "W/1"], #"""
            red  6 documents, 60 tokens
            W/1 keeps only the 4 strongest firings of each feature (--keep top): counts are of all firings; z, q and AUROC are missing where firings were left out.

            feature  label  top token  its mass  documents  firings   rate  lift   mass
            W/1/1    -       w0        -         6/6             60  100 %  1.00   32 %
            W/1/0    -       w0        -         6/6             18   30 %  2.85   98 %
            W/1/4    -       w5        -         6/6             12   20 %  3.17  100 %

            """#),
        Answer(["--matrix", "W/1"], #"""
            W/1  6 features × 4 topics of planted.jsonl
            W/1 keeps only the 4 strongest firings of each feature (--keep top): counts are of all firings; z, q and AUROC are missing where firings were left out.
            Drawn: 4 features, the first of each topic by lift.
            lift: ░ below 2  ▒ from 2  ▓ from 5  █ from 10

                         ␛[2Jע blue  one   red
            blue  W/1/5        ▒▒▒▒▒              ‘ w65’
            one   W/1/3              █████        ‘ w185’
            red   W/1/4                    ▒▒▒▒▒  ‘ w5’
                  W/1/0                    ▒▒▒▒▒  ‘ w0’

            """#),
        Answer(["W/1/0", "--counterexamples"], status: 1, "", errors: #"""
            monoseme: W/1/0 has no main topic: without all firings (--keep top) no topic of W/1's features can be tested
              hint: name one with --topic; most of its firings are on "red"

            """#),
        Answer(["W/1/0", "--counterexamples", "--topic", "red"], #"""
            W/1/0  no label yet
            The topic is red: 90 % of its firings, 98 % of its mass.
            Outside: 2 firings of 20 (10 %) with 2.0 % of the mass, in 2 documents of 2 topics.
            W/1 keeps only the 4 strongest firings of each feature: none of them lies outside.

            """#),
        Answer(["--compare", "red", "blue", "--in", "W/1"], status: 1, "", errors: #"""
            monoseme: W/1 keeps only the 4 strongest firings of each feature: how often it fires in a document cannot be counted from these
              hint: ingest it again without --keep top; monoseme topics --topic T --in W/1 shows the counts by topic, which are of all firings

            """#),
    ]

    /// Answers of an unfinished run.
    static let unfinished: [Answer] = [
        Answer(["W/1/0"], #"""
            W/1/0  no label yet
            dense: 20 firings in 8 documents
            The ingest of W/1 is unfinished: counts are of what was read so far; z, q and the detector come when it is complete.
            Its mass is spread over 20 tokens, as evenly as over 17; the first, ‘ w0’, makes 8.2 %.

              topic        documents  firings   rate   lift    mass  z  q  F1  precision  recall  AUROC
              red          6/6             18   30 %   2.85    98 %  -  -  -   -          -       -
              ␛[2Jעברית漢  1/6              1  1.7 %  0.158  0.68 %  -  -  -   -          -       -
              blue         1/6              1  1.7 %  0.158   1.4 %  -  -  -   -          -       -

            """#),
        Answer(["--topic", "red", "--in", "W/1"], #"""
            red  6 documents, 60 tokens
            The ingest of W/1 is unfinished: counts are of what was read so far; z, q and the detector come when it is complete.

            feature  label  top token  its mass  documents  firings   rate  lift   mass
            W/1/1    -      -            0.53 %  6/6             60  100 %  1.00   32 %
            W/1/0    -      -             8.2 %  6/6             18   30 %  2.85   98 %
            W/1/4    -      -             8.3 %  6/6             12   20 %  3.17  100 %

            """#),
        Answer(["--matrix", "W/1"], #"""
            W/1  6 features × 4 topics of planted.jsonl
            The ingest of W/1 is unfinished: counts are of what was read so far; z, q and the detector come when it is complete.
            Drawn: 4 features, the first of each topic by lift.
            lift: ░ below 2  ▒ from 2  ▓ from 5  █ from 10

                         ␛[2Jע blue  one   red
            blue  W/1/5        ▒▒▒▒▒
            one   W/1/3              █████
            red   W/1/4                    ▒▒▒▒▒
                  W/1/0                    ▒▒▒▒▒

            """#),
        Answer(["--compare", "red", "blue", "--in", "W/1"], status: 1, "", errors: #"""
            monoseme: the evidence for the topics of W/1 has not been counted: its ingest is unfinished
              hint: run the same monoseme ingest again: it goes on where it stopped

            """#),
    ]
}

/// The drawing itself, where topics are many or strange.
@Suite struct HeatMapTests {
    private func terminal(_ width: Int, colour: Bool = false) -> Terminal { Terminal(isTerminal: true, width: width, hasColour: colour, canRedraw: true) }

    private func map(topics: Int, name: (Int) -> String) -> HeatMap {
        HeatMap(heads: (0..<topics).map(name), rows: (0..<3).map { row in
            HeatMap.Row(group: row < 2 ? name(0) : name(1), name: "A/1/\(row)", note: "a note that is longer than its room", cells: (0..<topics).map { ($0 + row) % 3 == 0 ? .shade(row) : .empty })
        })
    }

    @Test(arguments: [(4, 80, 4), (20, 80, 20), (40, 80, 40), (40, 120, 40), (10_000, 120, 92), (10_000, 30, 8)])
    func `as many topics are drawn as fit, and no line is wider than the terminal`(topics: Int, width: Int, fitting: Int) {
        let (text, columns) = map(topics: topics) { "topic \($0)" }.drawn(terminal(width))
        #expect(columns == fitting)
        #expect(text.split(separator: "\n").allSatisfy { displayWidth(of: $0) <= max(width, 36) })
    }

    @Test func `names of topics cannot move the cursor, and wide ones keep the columns straight`() {
        let names = ["\u{1b}[31m", "漢字漢字", "עברית", "a\tb"]
        let (text, _) = map(topics: 4) { names[$0] }.drawn(terminal(80))
        #expect(!text.unicodeScalars.contains { $0.value < 0x20 && $0 != "\n" || $0.value == 0x1b })
    }

    @Test func `narrow columns have their heads from top to bottom`() {
        let (text, columns) = map(topics: 24) { "\(["ab", "xyz"][$0 % 2])\($0)" }.drawn(terminal(64))
        #expect(columns == 24)
        #expect(text == """
                         axaxaxaxaxaxaxaxaxaxaxax
                         bybybybybybybybybybybyby
                         0z2z4z6z8z1z1z1z1z1z2z2z
                          1 3 5 7 901214161810222
                                    1 3 5 7 9 1 3
            ab0   A/1/0  ░  ░  ░  ░  ░  ░  ░  ░   a note that is longer tha…
                  A/1/1    ▒  ▒  ▒  ▒  ▒  ▒  ▒  ▒ a note that is longer tha…
            xyz1  A/1/2   ▓  ▓  ▓  ▓  ▓  ▓  ▓  ▓  a note that is longer tha…

            """)
        #expect(map(topics: 3) { ["a", "b", "c"][$0] }.drawn(terminal(60, colour: true)).text.hasPrefix("          a     b     c\na  A/1/0  \u{1B}[38;5;24m░░░░░\u{1B}[0m  "))
    }
}
