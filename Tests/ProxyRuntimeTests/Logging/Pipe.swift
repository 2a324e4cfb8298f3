// SPDX-License-Identifier: Apache-2.0

import Dispatch
import Glibc
import Synchronization

/// A pipe, for what writes to a descriptor.
final class Pipe: Sendable {
    let input: Int32
    private let output: Int32
    private let isInputOpen = Mutex(true)

    init() {
        var ends: [Int32] = [0, 0]
        _ = unsafe pipe(&ends)
        (output, input) = (ends[0], ends[1])
    }

    deinit {
        closeInput()
        close(output)
    }

    func closeInput() {
        isInputOpen.withLock { isOpen in
            if isOpen { close(input) }
            isOpen = false
        }
    }

    /// Ends the input and returns all that went in.
    func readAll() -> String {
        closeInput()
        return readToEnd()
    }

    /// Begins to read at once; the result waits for the end.
    func readInBackground() -> () -> String {
        let result = Mutex("")
        let box = Box(result)
        let done = DispatchSemaphore(value: 0)
        DispatchQueue(label: "pipe").async { [self] in
            let text = readToEnd()
            box.value.withLock { $0 = text }
            done.signal()
        }
        return {
            // Only a test that fails waits for so long.
            _ = done.wait(timeout: .now() + .seconds(30))
            return box.value.withLock { $0 }
        }
    }

    /// Begins to read at once; the result is what has come so far.
    func follow() -> () -> String {
        let box = Box(Mutex(""))
        DispatchQueue(label: "pipe").async { [self] in
            while let text = readSome() { box.value.withLock { $0 += text } }
        }
        return { box.value.withLock { $0 } }
    }

    private func readSome() -> String? {
        var bytes = [UInt8](repeating: 0, count: 65536)
        let count = unsafe read(output, &bytes, bytes.count)
        return count > 0 ? String(decoding: bytes[..<count], as: UTF8.self) : nil
    }

    private func readToEnd() -> String {
        var result: [UInt8] = []
        var bytes = [UInt8](repeating: 0, count: 65536)
        while true {
            let count = unsafe read(output, &bytes, bytes.count)
            guard count > 0 else { return String(decoding: result, as: UTF8.self) }
            result += bytes[..<count]
        }
    }

    private final class Box: Sendable {
        let value: Mutex<String>
        init(_ value: consuming sending Mutex<String>) { self.value = value }
    }
}
