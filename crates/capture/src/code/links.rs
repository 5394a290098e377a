//! Symlinks of the surveyed tree: which stay as they are, and which must point to the original place.

use super::Link;
use super::manifest::leaves;
use std::collections::HashSet;
use std::path::{Component, Path, PathBuf};

/// What the snapshot will hold, as far as a link can point to it.
pub(super) struct Held<'a> {
    paths: HashSet<&'a str>,
}

impl<'a> Held<'a> {
    pub(super) fn of(paths: impl Iterator<Item = &'a str>) -> Held<'a> {
        let mut held = Held { paths: HashSet::new() };
        for path in paths {
            // A folder is held when something in it is.
            for (end, _) in path.match_indices('/') {
                held.paths.insert(&path[..end]);
            }
            held.paths.insert(path);
        }
        held
    }

    /// How the link `path` of the folder `top`, which reads `target`, is recorded.
    pub(super) fn link(&self, top: &Path, path: &str, target: &str) -> Link {
        let folder = Path::new(path).parent().unwrap_or(Path::new(""));
        let place = normal(&top.join(folder).join(target));
        let within = place.strip_prefix(top).ok().and_then(Path::to_str);
        let stays = match within {
            Some("") => true,
            // What is not held points to the original; what does not exist may be made by the run itself, and then belongs to its own copy.
            Some(within) => self.paths.contains(within) || std::fs::symlink_metadata(&place).is_err(),
            None => false,
        };
        let target = match within {
            // A text that leaves the top and comes back would lead elsewhere from a copy.
            Some(within) if stays && (target.starts_with('/') || leaves(path, target)) => relative(folder, within),
            _ if stays => target.to_string(),
            _ => place.to_string_lossy().into_owned(),
        };
        Link { path: path.to_string(), target, outside: !stays }
    }
}

/// `path` without `.` and `..`, by its words alone.
pub(super) fn normal(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => {
                plain.pop();
            }
            Component::CurDir => {}
            other => plain.push(other),
        }
    }
    plain
}

fn relative(from: &Path, to: &str) -> String {
    let ups = "../".repeat(from.components().count());
    let target = format!("{ups}{to}");
    let target = target.trim_end_matches('/');
    if target.is_empty() { ".".to_string() } else { target.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_stay_within_what_is_held_and_point_to_the_original_place_otherwise() {
        let top = Path::new("/nonexistent-top");
        let held = Held::of(["src/a.py", "src/deep/b.py"].into_iter());
        let link = |path: &str, target: &str| {
            let link = held.link(top, path, target);
            (link.target, link.outside)
        };
        assert_eq!(link("x", "src/a.py"), ("src/a.py".into(), false));
        assert_eq!(link("src/x", "deep"), ("deep".into(), false));
        assert_eq!(link("src/x", "../src/./a.py"), ("../src/./a.py".into(), false));
        assert_eq!(link("src/x", "/nonexistent-top/src/a.py"), ("../src/a.py".into(), false));
        assert_eq!(link("src/x", "/nonexistent-top"), ("..".into(), false));
        assert_eq!(link("x", "../nonexistent-top/src/a.py"), ("src/a.py".into(), false));
        assert_eq!(link("src/x", "../../nonexistent-top/src/none.py"), ("../src/none.py".into(), false));
        assert_eq!(link("x", "/data/mnist"), ("/data/mnist".into(), true));
        assert_eq!(link("src/x", "../../elsewhere"), ("/elsewhere".into(), true));
    }
}
