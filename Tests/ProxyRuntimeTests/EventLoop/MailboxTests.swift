// SPDX-License-Identifier: Apache-2.0

import Dispatch
import ProxyCore
import Testing
@testable import ProxyRuntime

@Suite(.timeLimit(.minutes(1))) struct MailboxTests {
    @Test func `mail is taken in the order in which it came`() throws {
        let box = try Mailbox<Int>()
        for number in 1...3 { box.post(number) }
        #expect(box.takeAll() == [1, 2, 3])
        #expect(box.takeAll() == [])
    }

    @Test func `an offer is refused at the limit and accepted after a visit`() throws {
        let box = try Mailbox<Int>(capacity: 2)
        #expect([box.offer(1), box.offer(2), box.offer(3)] == [true, true, false])
        #expect(box.takeAll() == [1, 2])
        #expect(box.offer(4))
        #expect(box.takeAll() == [4])
    }

    @Test func `what must arrive is taken beyond the limit`() throws {
        let box = try Mailbox<Int>(capacity: 1)
        #expect(box.offer(1))
        box.post(2)
        #expect(box.takeAll() == [1, 2])
    }

    @Test func `each mail that finds the box empty is an edge although nobody reads the counter`()
        throws
    {
        let box = try Mailbox<Int>()
        let epoll = try EpollSet()
        try epoll.add(box.descriptor, as: .init(slot: 5, generation: 6))
        // That it can be written is an event too, once.
        #expect(epoll.wait(milliseconds: 0) == 1)
        for number in 1...3 {
            #expect(epoll.wait(milliseconds: 0) == 0)
            box.post(number)
            #expect(epoll.wait(milliseconds: 0) == 1)
            #expect(epoll.id(at: 0) == .init(slot: 5, generation: 6))
            #expect(box.takeAll() == [number])
        }
    }

    @Test func `nothing is lost between many senders`() throws {
        let box = try Mailbox<Int>()
        DispatchQueue.concurrentPerform(iterations: 1000) { box.post($0) }
        #expect(box.takeAll().sorted() == Array(0..<1000))
    }
}
