//! What people get wrong in experiments that come after others.

use crate::malformed::refused;

#[test]
fn stages_behind_what_is_not_there_or_in_a_circle() {
    let circle = r#"command = "t"
[[experiment]]
name = "a"
after = "c"
[[experiment]]
name = "b"
after = "a"
[[experiment]]
name = "c"
after = "b"
"#;
    let missing = r#"command = "t {flags}"
[[experiment]]
name = "cifar"
params.seed = 1
[[experiment]]
name = "tune"
after = "cifra"
params.seed = 1
[[experiment]]
name = "other"
after = "cifar"
match = ["seed", "lr"]
params.lr = 1
"#;
    let unlike = r#"command = "t {flags}"
[[experiment]]
name = "a"
params.seed = [1, 2]
[[experiment]]
name = "b"
after = "a"
match = ["seed"]
params.seed = [3, 4]
"#;
    let many = r#"command = "t {flags}"
[[experiment]]
name = "a"
params.x = { repeat = 10000 }
params.y = { repeat = 100 }
[[experiment]]
name = "b"
after = "a"
"#;
    let shared = "command = \"t\"\nname = \"cifar\"\n[[experiment]]\nname = \"tune\"\nafter = \"cifar\"\n";
    insta::assert_snapshot!([circle, missing, unlike, many, shared].map(refused).join("\n"));
}
