//! The terminal's size.
#![expect(unsafe_code, reason = "the ioctl has no safe form")]

nix::ioctl_read_bad!(window_size, libc::TIOCGWINSZ, libc::winsize);

/// Columns of the terminal that standard output, else standard error, is.
pub fn width() -> Option<usize> {
    size().map(|size| size.ws_col as usize)
}

/// Its lines.
pub fn height() -> Option<usize> {
    size().map(|size| size.ws_row as usize).filter(|height| *height > 0)
}

fn size() -> Option<libc::winsize> {
    [1, 2].into_iter().find_map(|fd| {
        let mut size = libc::winsize { ws_row: 0, ws_col: 0, ws_xpixel: 0, ws_ypixel: 0 };
        // SAFETY: `size` lives for the length of the call and is what the ioctl fills in.
        let known = unsafe { window_size(fd, &raw mut size) }.is_ok();
        (known && size.ws_col > 0).then_some(size)
    })
}
