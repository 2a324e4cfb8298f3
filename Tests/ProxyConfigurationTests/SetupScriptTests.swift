// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import ProxyConfiguration

struct SetupScriptTests {
    @Test func `names and passwords are quoted wherever they come from`() {
        var script = SetupScript()
        script.user = #"a"b'c"#
        script.function = "tools.secret_of"
        script.password = #"it's \ "#
        #expect(script.text.contains(#"CREATE ROLE "a""b'c" LOGIN;"#))
        #expect(script.text.contains(#"rolname = 'a"b''c'"#))
        #expect(script.text.contains(#"ALTER ROLE "a""b'c" PASSWORD E'it''s \\ ';"#))
        #expect(script.text.contains(#"CREATE OR REPLACE FUNCTION "tools"."secret_of"("#))
        script.user = "x\nDROP TABLE t; --"
        for line in script.text.split(separator: "\n") where line.contains("DROP TABLE") {
            #expect(line.contains("\"") || line.contains("'"), "\(line)")
        }
    }

    @Test func `the look-up runs with a fixed search path and for nobody else`() {
        let text = SetupScript().text
        #expect(text.contains("SECURITY DEFINER\n    SET search_path = pg_catalog, pg_temp"))
        #expect(
            text.contains(#"REVOKE ALL ON FUNCTION "martlet"."user_secret"(text) FROM PUBLIC;"#))
        #expect(!text.contains("rolsuper"))
        var narrow = SetupScript()
        narrow.includesSuperusers = false
        #expect(narrow.text.contains("AND NOT rolsuper"))
    }

    @Test func `the password is left alone unless it is given`() {
        #expect(!SetupScript().text.contains("PASSWORD '"))
        #expect(SetupScript().text.contains(#"\password martlet"#))
    }
}
