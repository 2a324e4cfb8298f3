// SPDX-License-Identifier: Apache-2.0

internal import PostgresWire

/// The life of a unit of work, as one list of steps.
///
/// Each step is a function in a file named for it. It does its part and returns the next step; it
/// does not call that itself. So this loop is the only place that knows the order, and whatever
/// happens to a client (bytes, a reply, a lost server, a timeout) comes in as one step to begin with.
extension Pooler {
    enum Step {
        /// Look at what the client has sent (`Pooler+Gather`).
        case gather
        /// Its messages are complete: answer here, or find a server connection (`+Dispatch`).
        case dispatch
        /// Choose a node, and take one of its server connections or a place in the queue for one.
        case route
        /// The client has a server connection: give it the session's settings (`+Preparation`).
        case prepare
        /// Greet a client that logs in with what the server reports (`+Login`).
        case greet
        /// Give it the statements that the session prepared by SQL (`+SQLStatements`).
        case prepareStatements
        /// Make sure that the statements in use have the columns that the client was told
        /// (`+Results`).
        case compareColumns
        /// Send the messages (`+Translate`).
        case start
        /// The unit is answered: read what it left behind, free the connection (`+Settle`).
        case end
        /// The unit ends with this error; the session goes on (`+Failures`).
        indirect case fail(ErrorResponse)
        /// Nothing can be done before something else happens.
        case wait
    }

    /// Does for a client whatever can be done, beginning with a step.
    func proceed(_ client: ClientSession, _ first: Step, now: Instant) {
        var step = first
        while true {
            switch step {
            case .gather: step = gatherNext(client, now: now)
            case .dispatch: step = dispatch(client, now: now)
            case .route: step = route(client, now: now)
            case .prepare, .greet, .prepareStatements, .compareColumns, .start, .end:
                guard let server = client.server else { return }
                step = proceed(client, on: server, step, now: now)
            case .fail(let error): step = fail(client, error, now: now)
            case .wait: return reconsiderReading(client)
            }
        }
    }

    /// Does a step that needs the client's server connection.
    private func proceed(
        _ client: ClientSession, on server: ServerConnection, _ step: Step, now: Instant
    ) -> Step {
        switch step {
        case .prepare: prepare(client, on: server, now: now)
        case .greet: greet(client, on: server, now: now)
        case .prepareStatements:
            prepareStatements(client, on: server) ? .wait : .compareColumns
        case .compareColumns: compareColumns(client, on: server, now: now)
        case .start: start(client, on: server, now: now)
        case .end: unitEnded(client, on: server, now: now)
        case .gather, .dispatch, .route, .fail, .wait: step
        }
    }
}
