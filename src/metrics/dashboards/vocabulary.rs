//! The values of labels that people would have to decipher, and what they are called: closed lists, in both languages.

use super::words::{Say, say};

/// A label's value and its name.
pub(super) type Named = (&'static str, Say);

pub(super) const CLASSES: [Named; 8] = [
    ("https", say("HTTPS", "HTTPS")),
    ("http", say("HTTP", "HTTP")),
    ("dns", say("DNS", "DNS")),
    ("mail", say("mail", "メール")),
    ("voip", say("VoIP", "VoIP")),
    ("vpn", say("VPN", "VPN")),
    ("file", say("file", "ファイル")),
    ("other", say("other", "その他")),
];
