//! The keys of lists of tables: `[[notify.channel]]`, `[[muster.person]]`, `[[muster.rota]]` and its steps.

use super::kinds::{Key, Kind, Table};

/// Longest list of words or addresses.
const MAX_WORDS: usize = 50;

const WORD: Kind = Kind::Text(100);
const LANGUAGE: Kind = Kind::Choice(&["ja", "en", "both"]);

/// `[[notify.channel]]`
pub const CHANNEL: Table = Table {
    keys: &[
        Key { path: "name", kind: Kind::Topic },
        Key {
            path: "kind",
            kind: Kind::Choice(&["alertmanager", "webhook", "chat-webhook", "slack", "mattermost", "mail"]),
        },
        Key { path: "for", kind: Kind::List(3, &Kind::Choice(&["staff", "support_queue", "pages"])) },
        Key { path: "language", kind: LANGUAGE },
        Key { path: "urls", kind: Kind::List(10, &Kind::WebAddress) },
        Key { path: "url", kind: Kind::WebAddress },
        Key { path: "secret_file", kind: Kind::SecretFile },
        Key { path: "ca_file", kind: Kind::ExistingFile },
        Key { path: "allow_plaintext", kind: Kind::Flag },
        Key { path: "room", kind: WORD },
        Key { path: "host", kind: Kind::Text(253) },
        Key { path: "port", kind: Kind::Whole(1, 65_535) },
        Key { path: "tls", kind: Kind::Choice(&["implicit", "starttls", "plain"]) },
        Key { path: "from", kind: Kind::Mailbox },
        Key { path: "to", kind: Kind::List(MAX_WORDS, &Kind::MailAddress) },
        Key { path: "rate_per_min", kind: Kind::Whole(1, 6_000) },
        Key { path: "burst", kind: Kind::Whole(1, 1_000) },
        Key { path: "timeout_s", kind: Kind::Whole(1, 120) },
    ],
    required: &["name", "kind"],
};

/// `[[muster.person]]`
pub const PERSON: Table = Table {
    keys: &[
        Key { path: "name", kind: WORD },
        Key { path: "mail", kind: Kind::MailAddress },
        Key { path: "chat", kind: WORD },
        Key { path: "language", kind: LANGUAGE },
    ],
    required: &["name"],
};

/// `[[muster.rota]]`
pub const ROTA: Table = Table {
    keys: &[
        Key {
            path: "role",
            kind: Kind::Choice(&["commander", "development_lead", "support_lead", "communications_lead"]),
        },
        Key { path: "branch", kind: WORD },
        Key { path: "steps", kind: Kind::Tables(&STEP) },
    ],
    required: &["role", "steps"],
};

/// One of `steps`.
pub const STEP: Table = Table {
    keys: &[
        Key { path: "people", kind: Kind::List(MAX_WORDS, &WORD) },
        Key { path: "wait_min", kind: Kind::Whole(1, 1_440) },
    ],
    required: &["people", "wait_min"],
};
