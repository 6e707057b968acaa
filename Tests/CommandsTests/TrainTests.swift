@testable import Commands
import DictionaryLearning
import Testing

@Suite struct TrainTests {
    private func transcript(_ line: String) -> Transcript {
        let output = Output.memory(), errors = Output.memory()
        let status = program.run(shellWords(line), environment: Environment([:]), output: output, errors: errors, terminal: .plain, errorTerminal: .plain)
        return Transcript(status: status, output: output.text, errors: errors.text)
    }

    @Test func `every recipe is listed with its constants`() {
        let list = transcript("recipes").output
        for recipe in recipes {
            #expect(list.contains("\n\(recipe.name) "))
            let constants = transcript("recipes \(recipe.name)").output
            for constant in recipe.constants { #expect(constants.contains("\n\(constant.name) ") && constants.contains(constant.meaning)) }
        }
        #expect(transcript("recipes cake") == Transcript(status: 1, errors: """
            monoseme: there is no recipe "cake"
              hint: recipes are towards-monosemanticity, april-2024, topk, batch-topk, matryoshka, jumprelu

            """))
    }

    @Test(arguments: [
        ([], ""), ([3], "█"), ([2, 2, 2], "███"), ([8, 7, 6, 5, 4, 3, 2, 1], "█▇▆▅▄▃▂▁"), ([1000, 999, 993], "█▇▁"), ([5, .nan, 1], "█▁"), ([5, .infinity, 1], "█▁"),
    ] as [([Double], String)])
    func `the course of the loss fills the line from its least to its greatest`(losses: [Double], line: String) {
        #expect(Train.lossLine(losses) == line)
    }

    @Test func `sizes are written with commas`() {
        #expect(Sizes("512,4096")?.values == [512, 4096])
        for text in ["", "0", "512,", ",512", "512, 4096", "-1", "1e3", "99999999999999999999"] { #expect(Sizes(text) == nil) }
    }

    @Test func `a constant is set with its name and value`() {
        #expect(Setting("resample_at=0.25,0.5").map { [$0.name, $0.value] } == ["resample_at", "0.25,0.5"])
        for text in ["", "l1", "=1", "l1="] { #expect(Setting(text) == nil) }
    }

    @Test func `help says what a run takes, leaves and costs`() {
        #expect(transcript("train --help").output == """
            monoseme train: train dictionaries on the activations of a model

            Usage: monoseme train --features N,… --output DIR [options]

            Runs the language model over the corpus once and trains sparse autoencoders on
            its activations at one hook point, all sizes on the same shuffled batches. With
            --activations there need be no model; with --model and --hook beside it, their
            width is checked and --held-out can be evaluated.

            Each dictionary is a SAELens folder (cfg.json, sae_weights.safetensors), as
            ingest takes it and Python's sae-lens loads it, with training.jsonl, the course
            of the training, and summary.json, how well it stands for the activations at the
            end.

            The state is kept every few minutes. Stop it at any time and run the same
            command again: it goes on from there, and ends with the same weights, bit by
            bit, on however many threads. A checkpoint takes 24 bytes for each feature and
            number of an activation vector, twice that while it is written.

            Options:
              --model DIR                 The language model: config.json,
                                          model.safetensors, tokenizer.json
              --hook NAME                 The hook point to train on, such as
                                          blocks.0.mlp.hook_post
              --corpus PATH…              JSONL or text files (also .gz, .zst), folders, or
                                          - for standard input
              --activations PATH…         Instead of a corpus: safetensors files, or folders
                                          of them, each with one matrix [tokens, width]
              --features N,…              The sizes of the dictionaries
              -o, --output DIR            Where the dictionary goes, or a folder for each of
                                          several sizes: new, empty, or that of this very
                                          run
              --recipe RECIPE             How to train; `monoseme recipes` lists them with
                                          their constants (default: towards-monosemanticity)
              --samples N                 Train on so many activation vectors (default: each
                                          once) (1 or more)
              --batch N                   Activation vectors to a step (1 or more; default:
                                          4096)
              --seed N                    What all that is random depends on (0 or more;
                                          default: 0)
              --l1 X                      Constant l1, the factor λ of the L1 term
              --l0 X                      Constant l0, the firings a token to aim at
              -k, --k N                   Constant k, the firings a token
              --learning-rate X           Constant learning_rate
              --set CONSTANT=VALUE        Any other constant of the recipe (may be repeated)
              --context N                 Tokens in the longest context (default: as many as
                                          the model reads) (1 or more)
              --prepend-bos               Begin each context with the BOS token, whose own
                                          activations are left out
              --no-prepend-bos            Do not (default)
              --text-field F              Where a JSONL line holds its text (default: text)
              --limit-tokens N            Use the first N tokens of the corpus (1 or more)
              --strict                    Stop at the first line of the corpus that cannot
                                          be read
              --held-out PATH…            Text to evaluate on at the end, instead of the
                                          corpus
              --dtype float32|float16     What the weights are written in (default: float32)
              --buffer ROWS               Activation vectors shuffled at once (default: as
                                          many as 537 MB hold) (1 or more)
              --checkpoint-every MINUTES  How often the state is kept (0 to 100000; default:
                                          5)
              --threads N                 Threads (default: one a processor) (1 to 256)

            Global options:
              --catalogue FILE           The catalogue to work with (default:
                                         $MONOSEME_CATALOGUE, else catalogue.sqlite)
              --color auto|always|never  Colours in what is printed (default: auto)
              -h, --help                 Print this help

            Examples:
              # A family of two, on one pass over the text
              monoseme train --model Fixtures/model-A --hook blocks.0.mlp.hook_post --corpus Fixtures/corpus.jsonl --features 512,4096 --l1 0.001 -o sae-T
              # By another recipe
              monoseme train --model pythia-70m --hook blocks.3.hook_resid_post --corpus pile.jsonl.zst --recipe topk -k 50 --features 32768 --samples 100000000 -o sae-topk
              # On activations that were kept in files
              monoseme train --activations shards --features 16384 --recipe jumprelu --l0 40 --set sparsity=1 -o sae-jump

            Exit status: 0 done, 1 failed, 2 the command line was not understood.

            """)
    }
}
