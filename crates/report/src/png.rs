//! The SVG picture as PNG, with the one font that is bundled: the same bytes on every machine.

use resvg::{tiny_skia, usvg};
use std::sync::{Arc, LazyLock};

static FONT: &[u8] = include_bytes!("../assets/DejaVuSans-subset.ttf");

static FONTS: LazyLock<Arc<usvg::fontdb::Database>> = LazyLock::new(|| {
    let mut fonts = usvg::fontdb::Database::new();
    fonts.load_font_data(FONT.to_vec());
    fonts.set_sans_serif_family("DejaVu Sans");
    fonts.set_serif_family("DejaVu Sans");
    fonts.set_monospace_family("DejaVu Sans");
    Arc::new(fonts)
});

/// What the bundled font can draw (`assets/README.md` has the same list), in ascending order.
#[rustfmt::skip]
const GLYPHS: [(u32, u32); 49] = [
    (0x20, 0x7e), (0xa0, 0x17f), (0x192, 0x192), (0x218, 0x21b), (0x2c6, 0x2dd), (0x391, 0x3a1),
    (0x3a3, 0x3c9), (0x3d1, 0x3d1), (0x3d5, 0x3d5), (0x3f5, 0x3f5), (0x400, 0x45f), (0x2010, 0x2027),
    (0x2030, 0x2030), (0x2032, 0x2033), (0x2039, 0x203a), (0x2070, 0x2071), (0x2074, 0x208e), (0x20ac, 0x20ac),
    (0x2102, 0x2102), (0x210e, 0x210e), (0x2113, 0x2113), (0x2115, 0x2115), (0x211d, 0x211d), (0x2122, 0x2122),
    (0x2126, 0x2126), (0x2190, 0x2199), (0x21d0, 0x21d4), (0x2200, 0x222b), (0x2234, 0x2235), (0x223c, 0x223d),
    (0x2248, 0x2248), (0x2260, 0x226b), (0x2282, 0x2287), (0x2295, 0x2297), (0x22a5, 0x22a5), (0x22c5, 0x22c5),
    (0x2308, 0x230b), (0x2500, 0x257f), (0x2588, 0x2588), (0x2591, 0x2593), (0x25a0, 0x25a1), (0x25b2, 0x25bd),
    (0x25c6, 0x25c7), (0x25cb, 0x25cb), (0x25cf, 0x25cf), (0x2605, 0x2606), (0x2713, 0x2713), (0x2717, 0x2717),
    (0xfffd, 0xfffd),
];

/// A box in place of each character that the font lacks: it would leave no trace otherwise.
fn drawable(svg: &str) -> String {
    let known = |c: &char| *c == '\n' || GLYPHS.iter().any(|(first, last)| (*first..=*last).contains(&u32::from(*c)));
    svg.chars().map(|c| if known(&c) { c } else { '□' }).collect()
}

pub(crate) fn render(svg: &str) -> Result<Vec<u8>, String> {
    let failed = |what: &str, why: &dyn std::fmt::Display| format!("the picture could not be made as PNG ({what}: {why}); try SVG");
    let options = usvg::Options { fontdb: FONTS.clone(), font_family: "DejaVu Sans".to_owned(), ..usvg::Options::default() };
    let tree = usvg::Tree::from_str(&drawable(svg), &options).map_err(|e| failed("reading the SVG", &e))?;
    let size = tree.size().to_int_size();
    let mut pixels = tiny_skia::Pixmap::new(size.width(), size.height())
        .ok_or_else(|| failed("memory", &format!("{} × {} pixels", size.width(), size.height())))?;
    resvg::render(&tree, tiny_skia::Transform::default(), &mut pixels.as_mut());
    pixels.encode_png().map_err(|e| failed("writing", &e))
}
