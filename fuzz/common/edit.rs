//! Changes to something that is sound: most of what random bytes alone are is refused at the first look.

/// `base` with the changes that `edits` spell: a place (two bytes), how much goes there, how much comes, and that.
pub fn edited(base: &[u8], edits: &[u8]) -> Vec<u8> {
    let mut out = base.to_vec();
    let mut rest = edits;
    while let [low, high, gone, come, tail @ ..] = rest {
        let at = usize::from(u16::from_le_bytes([*low, *high])) % (out.len() + 1);
        let gone = usize::from(*gone % 16).min(out.len() - at);
        let come = usize::from(*come % 32).min(tail.len());
        out.splice(at..at + gone, tail[..come].iter().copied());
        rest = &tail[come..];
    }
    out
}
