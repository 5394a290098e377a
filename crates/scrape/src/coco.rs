//! The lines of COCO's evaluation, such as ` Average Precision  (AP) @[ IoU=0.50 | area=   all | maxDets=100 ] = 0.583`, under
//! the short names that detectron2 made usual: AP, AP50, AP75, APs, APm, APl, AR1, AR10, AR100, ARs and so on.

use crate::Found;
use crate::table::number;

/// Reads such a line. False: it is none.
pub(crate) fn read(line: &str, found: &mut Found) -> bool {
    let Some((name, value)) = score(line) else { return false };
    // -1: the data hold no object of such a size.
    if value >= 0.0 {
        found.set(name, value);
        found.reader = Some("coco");
    }
    true
}

fn score(line: &str) -> Option<(String, f64)> {
    let (measure, rest) = line.trim().strip_prefix("Average ")?.split_once("@[")?;
    let (of, value) = rest.split_once(']')?;
    let measure = if measure.contains("(AP)") {
        "AP"
    } else if measure.contains("(AR)") {
        "AR"
    } else {
        return None;
    };
    let value = number(value.trim_start().strip_prefix('=')?.trim())?;
    let (mut overlap, mut area, mut most) = ("", "", "");
    for part in of.split('|') {
        let (name, value) = part.split_once('=')?;
        match name.trim() {
            "IoU" => overlap = value.trim(),
            "area" => area = value.trim(),
            "maxDets" if value.trim().bytes().all(|b| b.is_ascii_digit()) => most = value.trim(),
            _ => return None,
        }
    }
    let name = match (overlap, area) {
        // Keypoints are scored with 20 detections at most and no other number; of boxes and masks the recall has three.
        ("0.50:0.95", "all") if measure == "AP" || most == "20" => measure.to_string(),
        ("0.50:0.95", "all") => format!("{measure}{most}"),
        ("0.50:0.95", "small" | "medium" | "large") => format!("{measure}{}", &area[..1]),
        (_, "all") => format!("{measure}{}", overlap.strip_prefix("0.")?),
        _ => return None,
    };
    Some((name, value))
}
