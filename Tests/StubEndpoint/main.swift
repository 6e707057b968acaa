// A stand-in for a language model's endpoint, for trying `monoseme label auto` and `label score` without one:
//
//     swift run stub-endpoint --port 8080 [--sensitivity 0.9] [--specificity 0.8] [--fail-every 10]
//
// It names features by their strongest tokens and judges labels by the tokens quoted in them, wrongly as often as it is told to. It understands this
// program's own questions and no others.

import Diagnostics
import Glibc
import LabellingSupport

private func end(_ message: String, status: Int32) -> Never {
    let line = Array("stub-endpoint: \(message)\n".utf8)
    _ = write(2, line, line.count)
    exit(status)
}

private func refuse(_ message: String) -> Never { end("\(message)\n  usage: stub-endpoint [--port N] [--sensitivity 0…1] [--specificity 0…1] [--fail-every N]", status: 2) }

var port = 8080, sensitivity = 1.0, specificity = 1.0, failEvery = Int.max
var words = CommandLine.arguments.dropFirst()
while let option = words.popFirst() {
    guard let value = words.popFirst() else { refuse("\(quoted(option)) has no value") }
    switch option {
    case "--port": if let number = Int(value), 0...65535 ~= number { port = number } else { refuse("\(quoted(value)) is no port") }
    case "--sensitivity": if let share = Double(value), 0...1 ~= share { sensitivity = share } else { refuse("\(quoted(value)) is no share") }
    case "--specificity": if let share = Double(value), 0...1 ~= share { specificity = share } else { refuse("\(quoted(value)) is no share") }
    case "--fail-every": if let number = Int(value), number > 1 { failEvery = number } else { refuse("\(quoted(value)) is no number of 2 or more") }
    default: refuse("there is no option \(quoted(option))")
    }
}

let judge = FallibleJudge(sensitivity: sensitivity, specificity: specificity), period = failEvery
// Waited for below; blocked before there are other threads, so that no other gets them.
var signals = sigset_t()
sigemptyset(&signals)
for number in [SIGINT, SIGTERM] { sigaddset(&signals, number) }
pthread_sigmask(SIG_BLOCK, &signals, nil)
do {
    let server = try StubServer(port: port, keepsRequests: false) { request in
        if request.number % period == period - 1 { return .failure(500, "out of order, as told by --fail-every") }
        return .answer(judge.answer(to: request.messages))
    }
    print("listening on \(server.url); Ctrl-C ends it")
    fflush(nil)
    var number: Int32 = 0
    sigwait(&signals, &number)
    server.stop()
    let record = server.recorded
    print("\n\(record.requestCount) requests, \(record.answered) answered: \(record.promptTokens) tokens of prompts, \(record.completionTokens) of answers")
} catch let error as MonosemeError {
    end(error.description, status: 1)
}
