// SPDX-License-Identifier: Apache-2.0

package import Logging

/// swift-log's way into the log.
///
/// The level is the log's, so that a reload reaches every logger, unless one was given its own.
package struct ProxyLogHandler: LogHandler {
    package var metadata: Logger.Metadata = [:]
    package var metadataProvider: Logger.MetadataProvider?

    private let log: Log
    private var ownLevel: Logger.Level?

    package init(log: Log) { self.log = log }

    package var logLevel: Logger.Level {
        get { ownLevel ?? log.rules.level }
        set { ownLevel = newValue }
    }

    package subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    package func log(event: Logging.LogEvent) {
        var merged = metadata
        if let provided = metadataProvider?.get() { merged.merge(provided) { $1 } }
        if let own = event.metadata { merged.merge(own) { $1 } }
        var fields = merged.sorted { $0.key < $1.key }
            .map { LogLine.Field($0.key, "\($0.value)") }
        if let error = event.error { fields.append(LogLine.Field("error", "\(error)")) }
        // Its logger has judged the level already, perhaps by one of its own.
        log.append(
            LogLine(
                time: Log.now, level: event.level, message: "\(event.message)", fields: fields))
    }
}
