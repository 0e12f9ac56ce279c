//! Whose request is it that the upstream is asked for?
//!
//! Known to whatever runs for one request, without being handed through it: what asks the upstream in the
//! name of nobody, as a fetch that is shared does when whoever began it has left, is nobody's call.

use std::cell::Cell;

use futures_util::future::Either;

use super::{Context, Place};

tokio::task_local! {
    static FOLLOWED: Followed;
}

/// A request that is traced, while it is worked on.
struct Followed {
    own: Context,
    /// The first call's place, which the upstream is told.
    call: Cell<Option<Context>>,
}

/// Works on a request that has this place, if it is traced.
pub fn follow<W: Future>(place: Option<Place>, work: W) -> impl Future<Output = W::Output> {
    match place {
        None => Either::Left(work),
        Some(Place { own, call }) => {
            Either::Right(FOLLOWED.scope(Followed { own, call: Cell::new(Some(call)) }, work))
        }
    }
}

/// Goes on with the request that is being worked on, in another task.
pub fn follow_on<W: Future>(work: W) -> impl Future<Output = W::Output> + use<W> {
    let place = FOLLOWED.try_with(|followed| {
        let call = followed.call.take().unwrap_or_else(|| followed.own.child());
        Place { own: followed.own, call }
    });
    follow(place.ok(), work)
}

/// The place of a call to the upstream, if it is for a request that is traced.
pub fn call() -> Option<Context> {
    let next = |followed: &Followed| followed.call.take().unwrap_or_else(|| followed.own.child());
    FOLLOWED.try_with(next).ok()
}
