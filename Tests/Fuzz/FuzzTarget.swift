// SPDX-License-Identifier: Apache-2.0

/// What can be fuzzed; the command line names one: `fuzz --target=startup`.
enum FuzzTarget: String, CaseIterable {
    case startup, frontend, backend, scram, statement

    static let current: FuzzTarget = {
        let flag = "--target="
        let name = CommandLine.arguments.last { $0.hasPrefix(flag) }?.dropFirst(flag.count)
        guard let target = FuzzTarget(rawValue: String(name ?? "")) else {
            fatalError("say \(flag) and one of \(allCases.map(\.rawValue))")
        }
        return target
    }()

    /// `--trace`: what fails is shown with all that was said before.
    static let isTracing = CommandLine.arguments.contains("--trace")

    func run(_ bytes: [UInt8]) {
        switch self {
        case .startup: StartupFuzz.run(Input(bytes))
        case .frontend: FrontendFuzz.run(Input(bytes))
        case .backend: BackendFuzz.run(Input(bytes))
        case .scram: ScramFuzz.run(Input(bytes))
        case .statement: StatementFuzz.run(Input(bytes))
        }
    }
}

/// libFuzzer calls this with each input.
@_cdecl("LLVMFuzzerTestOneInput")
public func testOneInput(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    FuzzTarget.current.run(unsafe [UInt8](UnsafeBufferPointer(start: start, count: count)))
    return 0
}

/// Ends the fuzzer, which then keeps the input, where something does not hold that must.
func require(_ condition: Bool, _ message: @autoclosure () -> String) {
    if !condition { fatalError(message()) }
}

/// The bytes of one input, taken from the front; zeros behind their end.
struct Input {
    private var bytes: ArraySlice<UInt8>

    init(_ bytes: [UInt8]) { self.bytes = bytes[...] }

    var isEmpty: Bool { bytes.isEmpty }
    var rest: [UInt8] { Array(bytes) }

    mutating func byte() -> UInt8 { bytes.popFirst() ?? 0 }

    /// A block with its length, in two bytes, before it.
    mutating func block() -> [UInt8] {
        let count = Int(byte()) << 8 | Int(byte())
        let block = bytes.prefix(count)
        bytes = bytes.dropFirst(count)
        return Array(block)
    }
}
