//! The macros that take the English and the Japanese of a text side by side, so that who changes one sees the other.
//!
//! rustfmt leaves their contents alone. A test reads the pairs from the sources: texts are therefore literals.

/// Makes a table of texts: a struct, its values in both languages, and `of`, which finds those of a language.
///
/// ```text
/// words! {
///     /// The words of one page.
///     pub struct Text {
///         fleet: "Fleet", "装置全体";
///         // A text with values in it, called as `(text.since)(clock)`. Values are inserted as by `format!`.
///         since(clock: &str): "since {clock}", "{clock}から";
///         // Texts chosen by the values; all of the values are matched, as a tuple where they are several.
///         devices(n: u64) { 1 => "1 device", "1台"; _ => "{n} devices", "{n}台"; }
///         // A name for each value of a closed list, called as `(text.verdict)(verdict)`.
///         verdict[Verdict] { Verdict::Healthy => "healthy", "正常"; Verdict::Degraded => "degraded", "品質低下"; }
///         // Names that have their own function.
///         state[State] = names::state;
///     }
/// }
/// ```
macro_rules! words {
    (
        $(#[$about:meta])*
        $vis:vis struct $Table:ident {
            $(
                $(#[$doc:meta])*
                $name:ident
                $(($($arg:ident: $ty:ty),*))?
                $([$of:ty])?
                $(= $path:path;)?
                $(: $en:literal, $ja:literal $(, $key:ident = $value:expr)*;)?
                $({ $($arms:tt)* })?
            )*
        }
    ) => {
        $(#[$about])*
        #[derive(Debug)]
        $vis struct $Table {
            $( $(#[$doc])* $vis $name: $crate::words::words!(@type $(($($ty),*))? $([$of])?), )*
        }

        impl $Table {
            /// The words in this language.
            $vis const fn of(lang: $crate::words::Lang) -> &'static Self {
                static EN: $Table = $Table {
                    $( $name: $crate::words::words!(
                        @text en $(($($arg),*))? $([$of])? $(= $path;)? $(: $en, $ja $(, $key = $value)*;)? $({ $($arms)* })?
                    ), )*
                };
                static JA: $Table = $Table {
                    $( $name: $crate::words::words!(
                        @text ja $(($($arg),*))? $([$of])? $(= $path;)? $(: $en, $ja $(, $key = $value)*;)? $({ $($arms)* })?
                    ), )*
                };
                match lang {
                    $crate::words::Lang::En => &EN,
                    $crate::words::Lang::Ja => &JA,
                }
            }
        }
    };

    (@type) => { &'static str };
    (@type ($($ty:ty),*)) => { fn($($ty),*) -> String };
    (@type [$of:ty]) => { fn($of) -> &'static str };

    (@text $lang:ident : $en:literal, $ja:literal;) => { $crate::words::words!(@one $lang $en, $ja) };
    (@text $lang:ident ($($arg:ident),*) : $en:literal, $ja:literal $(, $key:ident = $value:expr)*;) => {
        |$($arg),*| $crate::words::words!(@format $lang $en, $ja $(, $key = $value)*)
    };
    (@text $lang:ident ($($arg:ident),*) {
        $($pat:pat $(if $guard:expr)? => $en:literal, $ja:literal $(, $key:ident = $value:expr)*;)*
    }) => {
        |$($arg),*| match ($($arg),*) {
            $( $pat $(if $guard)? => $crate::words::words!(@format $lang $en, $ja $(, $key = $value)*), )*
        }
    };
    (@text $lang:ident [$of:ty] { $($pat:pat => $en:literal, $ja:literal;)* }) => {
        |it| match it { $( $pat => $crate::words::words!(@one $lang $en, $ja), )* }
    };
    (@text en [$of:ty] = $path:path;) => { |it| $path(it).en };
    (@text ja [$of:ty] = $path:path;) => { |it| $path(it).ja };

    (@one en $en:literal, $ja:literal) => { $en };
    (@one ja $en:literal, $ja:literal) => { $ja };
    (@format en $en:literal, $ja:literal $(, $key:ident = $value:expr)*) => { format!($en $(, $key = $value)*) };
    (@format ja $en:literal, $ja:literal $(, $key:ident = $value:expr)*) => { format!($ja $(, $key = $value)*) };
}

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
/// phrase! {
///     fn more(lang: Lang, n: usize) -> String = "and {n} more", "ほか{n}件";
/// }
/// ```
macro_rules! phrase {
    (
        $(#[$about:meta])*
        $vis:vis fn $name:ident($lang:ident: $Lang:ty $(, $arg:ident: $ty:ty)* $(,)?) -> String =
            $en:literal, $ja:literal $(, $key:ident = $value:expr)*;
    ) => {
        $(#[$about])*
        $vis fn $name($lang: $Lang $(, $arg: $ty)*) -> String {
            match $lang {
                $crate::words::Lang::En => format!($en $(, $key = $value)*),
                $crate::words::Lang::Ja => format!($ja $(, $key = $value)*),
            }
        }
    };
    (
        $(#[$about:meta])*
        $vis:vis fn $name:ident($lang:ident: $Lang:ty $(, $arg:ident: $ty:ty)* $(,)?) -> String match $on:tt {
            $($pat:pat $(if $guard:expr)? => $en:literal, $ja:literal $(, $key:ident = $value:expr)*;)*
        }
    ) => {
        $(#[$about])*
        $vis fn $name($lang: $Lang $(, $arg: $ty)*) -> String {
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

pub(crate) use {phrase, words};
