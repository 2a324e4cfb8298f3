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
        /// Choose a node.
        case route
        /// Take one of the node's server connections, or a place in the queue for one.
        case lease(Unit.Place)
        /// The client has this server connection: give it the session's settings.
        case prepare(ServerConnection)
        /// Greet a client that logs in with what the server reports (`+Login`).
        case greet(ServerConnection)
        /// Give it the statements that the session prepared by SQL (`+SQLStatements`).
        case prepareStatements(ServerConnection)
        /// Make sure that the statements in use have the columns that the client was told
        /// (`+Results`).
        case compareColumns(ServerConnection)
        /// Send the messages (`+Translate`).
        case start(ServerConnection)
        /// The unit is answered: read what it left behind, free the connection (`+Settle`).
        case end(ServerConnection)
        /// The unit ends with this error; the session goes on (`+Failures`).
        case fail(ErrorResponse)
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
            case .lease(let place): step = lease(client, place, now: now)
            case .prepare(let server): step = prepare(client, on: server, now: now)
            case .greet(let server): step = greet(client, on: server, now: now)
            case .prepareStatements(let server):
                step = prepareStatements(client, on: server) ? .wait : .compareColumns(server)
            case .compareColumns(let server): step = compareColumns(client, on: server, now: now)
            case .start(let server): step = start(client, on: server, now: now)
            case .end(let server): step = unitEnded(client, on: server, now: now)
            case .fail(let error): step = fail(client, error, now: now)
            case .wait: return reconsiderReading(client)
            }
        }
    }
}
