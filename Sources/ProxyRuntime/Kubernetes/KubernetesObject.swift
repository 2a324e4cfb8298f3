// SPDX-License-Identifier: Apache-2.0

internal import ProxyCore

/// Reads what the Kubernetes API says, by shape.
enum KubernetesObject {
    /// A page of a list.
    struct Page {
        var items: [JSONValue]
        var version: String?
        /// Asks for the next page.
        var token: String?
    }

    /// One line of a watch.
    enum Event {
        case added(JSONValue)
        case deleted(JSONValue)
        case bookmark
        /// The stream is at its end: the code and the words of a Status.
        case failed(code: Int64, reason: String)
    }

    /// Nil when the body is no list.
    static func page(_ body: [UInt8]) -> Page? {
        guard let json = JSONValue(body) else { return nil }
        // An empty list of Go may be null.
        let items = json["items"]?.array ?? (json["items"] == .null ? [] : nil)
        guard let items, let metadata = json["metadata"] else { return nil }
        let token = metadata["continue"]?.string.flatMap { $0.isEmpty ? nil : $0 }
        return Page(items: items, version: metadata["resourceVersion"]?.string, token: token)
    }

    /// The event, and the version from which a watch can go on after it; nil when it is none.
    static func event(_ line: [UInt8]) -> (Event, version: String?)? {
        guard let json = JSONValue(line), let type = json["type"]?.string,
            let object = json["object"]
        else { return nil }
        let version = object["metadata"]?["resourceVersion"]?.string
        switch type {
        case "ADDED", "MODIFIED": return (.added(object), version)
        case "DELETED": return (.deleted(object), version)
        case "BOOKMARK": return (.bookmark, version)
        case "ERROR":
            let words = object["message"]?.string ?? object["reason"]?.string ?? "unknown error"
            return (.failed(code: object["code"]?.integer ?? 0, reason: words), nil)
        default: return nil
        }
    }

    /// What an answer other than 200 says.
    static func refusal(status: Int, body: [UInt8]) -> String {
        let words = JSONValue(body)?["message"]?.string
        return "the API answers \(status)" + (words.map { ": \($0.prefix(300))" } ?? "")
    }

    static func pod(_ json: JSONValue) -> PodObject? {
        guard let metadata = json["metadata"], let name = metadata["name"]?.string,
            let uid = metadata["uid"]?.string
        else { return nil }
        var pod = PodObject(name: name, uid: uid)
        pod.isTerminating = metadata["deletionTimestamp"]?.string != nil
        pod.address = json["status"]?["podIP"]?.string.flatMap { $0.isEmpty ? nil : $0 }
        // Patroni keeps there what it tells of its member, as JSON.
        let told = metadata["annotations"]?["status"]?.string.flatMap { JSONValue(Array($0.utf8)) }
        pod.memberURL = told?["conn_url"]?.string
        pod.role = metadata["labels"]?["role"]?.string
        return pod
    }

    /// Whom a ConfigMap of Patroni's names as the leader.
    static func leader(_ json: JSONValue) -> String? {
        json["metadata"]?["annotations"]?["leader"]?.string
    }
}
