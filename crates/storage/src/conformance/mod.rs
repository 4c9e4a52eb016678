//! One behaviour suite for all engines.
//!
//! An engine's tests say how to make it, and get one `#[test]` per case:
//!
//! ```text
//! use ottla_storage::conformance::{Harness, conformance_suite};
//!
//! conformance_suite!(MyHarness::fresh; still = Nothing, reopened = Reopen, killed = Kill);
//! ```
//!
//! `MyHarness::fresh` is a `fn() -> Box<dyn Harness>` that makes an engine of its own with nothing in it. Each `module = Interlude`
//! pair becomes a module of tests in which that [`Interlude`] happens at the marked points of each case. The cases that have
//! no such point run only with [`Interlude::Nothing`].
//!
//! Nothing here sleeps and nothing depends on how fast an engine is; random runs come from fixed seeds.

mod cases;
mod harness;
pub(crate) mod random;
mod sample;
mod trial;
mod twin;

pub use crate::conformance_suite;
pub use harness::{Harness, Interlude, World};
pub use twin::Twin;

/// Runs one case by its name, as in `appends::offsets_are_dense`.
///
/// # Panics
/// Where the engine does not behave, and where no case has that name.
pub fn run(case: &str, interlude: Interlude, fresh: fn() -> Box<dyn Harness>) {
    let found = cases::ALL.iter().find(|known| known.name == case);
    let found = found.unwrap_or_else(|| panic!("there is no case {case}"));
    (found.body)(&mut trial::Trial::new(fresh(), interlude));
}

/// The names of the cases that run with an interlude.
pub fn names(interlude: Interlude) -> impl Iterator<Item = &'static str> {
    let runs = move |case: &&cases::Case| case.lasting || interlude == Interlude::Nothing;
    cases::ALL.iter().filter(runs).map(|case| case.name)
}

/// Makes one `#[test]` per case and interlude: see [the module](crate::conformance).
#[macro_export]
macro_rules! conformance_suite {
    ($fresh:expr; $($module:ident = $interlude:ident),+ $(,)?) => {
        $(
            mod $module {
                #[allow(unused_imports)]
                use super::*;
                fn fresh() -> ::std::boxed::Box<dyn $crate::conformance::Harness> {
                    $fresh()
                }
                $crate::conformance_cases!(conformance_tests $interlude);
            }
        )+
    };
}

/// Turns the list of cases into tests. Cases without an interlude are left out where there is one.
#[doc(hidden)]
#[macro_export]
macro_rules! conformance_tests {
    (Nothing; $($group:ident { once: $($once:ident)*; lasting: $($lasting:ident)*; })*) => {
        $(
            mod $group {
                $($crate::conformance_tests!(@test Nothing $group $once);)*
                $($crate::conformance_tests!(@test Nothing $group $lasting);)*
            }
        )*
    };
    ($interlude:ident; $($group:ident { once: $($once:ident)*; lasting: $($lasting:ident)*; })*) => {
        $(
            mod $group {
                $($crate::conformance_tests!(@test $interlude $group $lasting);)*
            }
        )*
    };
    (@test $interlude:ident $group:ident $case:ident) => {
        #[test]
        fn $case() {
            let name = concat!(stringify!($group), "::", stringify!($case));
            $crate::conformance::run(name, $crate::conformance::Interlude::$interlude, super::fresh);
        }
    };
}
