//! The macros that take the English and the Japanese of a text side by side, so that who changes one sees the other.
//!
//! rustfmt leaves their contents alone. A test reads the pairs from the sources: texts are therefore literals.

/// Makes a function that chooses among texts, each in both languages.
///
/// ```text
/// phrase! {
///     /// What a person of this role is called.
///     pub const fn role(role: Role) -> Both<&'static str> match role {
///         Role::Commander => "commander", "指揮者";
///         Role::SupportLead => "support lead", "サポート責任者";
///     }
/// }
/// phrase! {
///     /// What happened, in the reader's language. Values behind a pair are inserted as by `format!`, and may ask for `lang`.
///     pub fn tell(lang: Lang, action: &Action) -> String match action {
///         Action::Moved { to, .. } => "now {to}", "状態: {to}", to = state(lang, *to);
///         Action::Closed => "closed", "終結";
///     }
/// }
/// ```
macro_rules! phrase {
    (
        $(#[$about:meta])*
        $vis:vis fn $name:ident($lang:ident: Lang $(, $arg:ident: $ty:ty)* $(,)?) -> String match $on:tt {
            $($pat:pat $(if $guard:expr)? => $en:literal, $ja:literal $(, $key:ident = $value:expr)*;)*
        }
    ) => {
        $(#[$about])*
        $vis fn $name($lang: $crate::words::Lang $(, $arg: $ty)*) -> String {
            match $on {
                $( $pat $(if $guard)? => match $lang {
                    $crate::words::Lang::En => format!($en $(, $key = $value)*),
                    $crate::words::Lang::Ja => format!($ja $(, $key = $value)*),
                }, )*
            }
        }
    };
    (
        $(#[$about:meta])*
        $vis:vis const fn $name:ident($($arg:ident: $ty:ty),*) -> Both<&'static str> match $on:tt {
            $($pat:pat => $en:literal, $ja:literal;)*
        }
    ) => {
        $(#[$about])*
        $vis const fn $name($($arg: $ty),*) -> $crate::words::Both<&'static str> {
            match $on {
                $( $pat => $crate::words::say($en, $ja), )*
            }
        }
    };
}

pub(crate) use phrase;
