//! `/` and `/api/live`: what does a person see at a glance?
//!
//! `page` is what a browser loads; what it shows comes over one stream. Once a second somebody
//! looks at what is counted, for the plots of the last minutes; everything else is put together
//! only while somebody listens, once for all of them.

mod frame;
mod live;
mod page;

pub(super) use live::Live;
pub(super) use page::page;
