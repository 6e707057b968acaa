import Glibc

/// Memory for a kernel to write to before it is read, aligned for the widest vectors; in large pages where it is large: a scan
/// that misses the translation cache at every fourth kilobyte takes a third longer.
final class Storage<Element: BitwiseCopyable> {
    let base: UnsafeMutablePointer<Element>
    let bytes: Int

    init(_ count: Int) {
        bytes = max(64, count * MemoryLayout<Element>.stride)
        let page = 1 << 21, isLarge = bytes >= page / 2
        let size = isLarge ? (bytes + page - 1) / page * page : bytes
        var start: UnsafeMutableRawPointer?
        guard posix_memalign(&start, isLarge ? page : 64, size) == 0, let start else { preconditionFailure("out of memory") }
        if isLarge { madvise(start, size, MADV_HUGEPAGE) }
        base = start.bindMemory(to: Element.self, capacity: max(1, count))
    }

    deinit { free(base) }
}
