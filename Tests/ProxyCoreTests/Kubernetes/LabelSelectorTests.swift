// SPDX-License-Identifier: Apache-2.0

import ProxyCore
import Testing

struct LabelSelectorTests {
    @Test(arguments: [
        ("", true), ("cluster=a", true), ("cluster==a", true), ("cluster = a", true),
        ("cluster=b", false), ("cluster!=a", false), ("cluster!=b", true), ("other!=b", true),
        ("cluster in (a,b)", true), ("cluster in ( b , c )", false), ("cluster notin (b)", true),
        ("cluster notin (a)", false), ("other notin (a)", true), ("cluster", true),
        ("other", false), ("!other", true), ("!cluster", false), ("cluster=a,tier=x", true),
        ("cluster=a,tier=y", false), ("cluster=a,!tier", false), ("app.k8s.io/name=martlet", true),
        ("empty=", true), ("empty in ()", true), ("cluster=", false), ("in=a", false),
        ("cluster in (a),tier notin (y),!other", true),
    ])
    func `an object is meant or not`(text: String, isMeant: Bool) throws {
        let labels = ["cluster": "a", "tier": "x", "app.k8s.io/name": "martlet", "empty": ""]
        #expect(try LabelSelector(text).matches(labels) == isMeant)
    }

    @Test(arguments: [
        ",", "a,", ",a", "a=b,,c", "=b", "a=b=c", "a in", "a in (", "a in (b", "a in b", "a in (b c)",
        "a b", "!", "!a=b", "!!a", "a=(b)", "-a=b", "a=-b", "a=b c", "/a=b", "X/a=b", "a/b/c=d",
        "a<1", "a=\"b\"", "ä=b", String(repeating: "a", count: 64), "a\nb",
        String(repeating: "a,", count: 9000),
    ])
    func `what is no selector is refused`(text: String) {
        #expect(throws: LabelSelectorFault.self) { try LabelSelector(text) }
    }

    @Test func `names of objects`() {
        #expect(KubernetesName.isSubdomain("postgres-cluster-leader"))
        #expect(KubernetesName.isSubdomain("a.b-c.d"))
        for name in ["", "-a", "a-", "A", "a_b", "a..b", "a/b", String(repeating: "a", count: 64)] {
            #expect(!KubernetesName.isSubdomain(name), "\(name)")
        }
        #expect(KubernetesName.isLabel("default") && !KubernetesName.isLabel("a.b"))
    }

    @Test func `parts of URLs`() {
        #expect(PercentEncoding.encoded("a=b,c in (d) ä") == "a%3Db%2Cc%20in%20%28d%29%20%C3%A4")
        #expect(PercentEncoding.decoded("a%3Db%2cc+%28d%29%20%C3%A4", plusIsSpace: true) == "a=b,c (d) ä")
        #expect(PercentEncoding.decoded("a+b") == "a+b")
        for broken in ["%", "%4", "%zz", "%ff"] {
            #expect(PercentEncoding.decoded(broken) == nil, "\(broken)")
        }
    }
}
