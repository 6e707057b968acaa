import Diagnostics
import Glibc
import Kernels

/// Reads files of rows on several threads, and hands over what is in them in order.
///
/// Each reader takes the next piece, one at a time, and makes sense of it while others take theirs. Which reader takes which piece is left to chance, and so are
/// the numbers it gives to spellings; whoever takes the pieces in order gives them numbers that do not depend on it.
final class RowPipeline: @unchecked Sendable {
    private let source: PieceSource
    private let files: [RowFile]
    private let template: RowTemplate
    private let readers: Int

    private var lock = pthread_mutex_t()
    private var changed = pthread_cond_t()
    private var reading = pthread_mutex_t()
    // Under `lock`:
    private var done: [Int: Result<ScannedPiece, any Error>] = [:]
    private var next = 0, taken = 0
    private var isOver = false
    private var idle: [ScannedPiece] = []

    init(_ files: [RowFile], _ template: RowTemplate, threads: Int, unpackLimit: Int?) {
        (self.files, self.template, readers) = (files, template, max(1, threads))
        source = PieceSource(files, unpackLimit: unpackLimit)
        pthread_mutex_init(&lock, nil)
        pthread_mutex_init(&reading, nil)
        pthread_cond_init(&changed, nil)
    }

    /// Bytes read so far, as they were after unpacking.
    private(set) var bytesRead = 0

    /// Calls `body` with each piece in order.
    func forEachPiece(_ body: (ScannedPiece) throws -> Void) throws {
        var threads: [pthread_t] = []
        defer {
            pthread_mutex_lock(&lock)
            isOver = true
            pthread_cond_broadcast(&changed)
            pthread_mutex_unlock(&lock)
            for thread in threads { pthread_join(thread, nil) }
        }
        for reader in 0..<readers {
            let entry = Unmanaged.passRetained(Entry(pipeline: self, reader: reader))
            var thread = pthread_t()
            let status = pthread_create(&thread, nil, { argument in
                let entry = Unmanaged<Entry>.fromOpaque(argument!).takeRetainedValue()
                entry.pipeline.read(entry.reader)
                return nil
            }, entry.toOpaque())
            guard status == 0 else {
                entry.release()
                if threads.isEmpty { throw MonosemeError("cannot begin a thread: \(String(cString: strerror(status)))") }
                break
            }
            threads.append(thread)
        }
        while let piece = try take() {
            bytesRead += piece.text.count
            try body(piece)
            pthread_mutex_lock(&lock)
            idle.append(piece)
            taken += 1
            pthread_cond_broadcast(&changed)
            pthread_mutex_unlock(&lock)
        }
    }

    private final class Entry {
        let pipeline: RowPipeline, reader: Int
        init(pipeline: RowPipeline, reader: Int) { (self.pipeline, self.reader) = (pipeline, reader) }
    }

    /// The piece whose turn it is; `nil` after the last.
    private func take() throws -> ScannedPiece? {
        pthread_mutex_lock(&lock)
        defer { pthread_mutex_unlock(&lock) }
        while done[taken] == nil {
            if isOver, taken >= next { return nil }
            pthread_cond_wait(&changed, &lock)
        }
        return try done.removeValue(forKey: taken)!.get()
    }

    private func read(_ reader: Int) {
        let strings = kernel_json_strings_make()
        defer { kernel_json_strings_free(strings) }
        while true {
            pthread_mutex_lock(&lock)
            // Not further ahead than there are hands, so that memory is bounded.
            while !isOver, next - taken >= 2 * readers + 1 { pthread_cond_wait(&changed, &lock) }
            let piece = idle.popLast()
            let isStopped = isOver
            pthread_mutex_unlock(&lock)
            if isStopped { return }
            let mine = piece ?? ScannedPiece()
            pthread_mutex_lock(&reading)
            var result = Result { try source.next(mine.text) }
            if strings == nil { result = .failure(MonosemeError("there is no memory for a reader")) }
            pthread_mutex_lock(&lock)
            let isMine: Bool
            if isOver { isMine = false } else {
                switch result {
                case .success(nil): isMine = false
                default: isMine = true
                }
            }
            let number = next
            if isMine { next += 1 } else { isOver = true }
            pthread_cond_broadcast(&changed)
            pthread_mutex_unlock(&lock)
            pthread_mutex_unlock(&reading)
            guard isMine else { return }
            mine.reader = reader
            let outcome = result.map { file -> ScannedPiece in
                mine.file = file!
                mine.scan(files[file!].content, template, strings!)
                return mine
            }
            pthread_mutex_lock(&lock)
            done[number] = outcome
            if case .failure = outcome { isOver = true }
            pthread_cond_broadcast(&changed)
            pthread_mutex_unlock(&lock)
            if case .failure = outcome { return }
        }
    }

    deinit {
        pthread_mutex_destroy(&lock)
        pthread_mutex_destroy(&reading)
        pthread_cond_destroy(&changed)
    }
}
