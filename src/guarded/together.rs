//! Several documents, changed as one thing.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Guarded, text};
use crate::write::{WriteError, Writer, update_together};

/// Changes several documents while the locks of all are held, taken in one order whatever the order here: nobody waits for
/// somebody who waits for them, and whoever takes the locks sees all of the change or nothing of it. (After a crash in the
/// middle, some of them hold the new state, and all that was is stored.)
///
/// ```
/// use jsonwarden::{Guarded, Options, update_all};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let folder = tempfile::tempdir()?;
/// let options = Options::new().state_dir(folder.path().join("state"));
/// let one = Guarded::<u64>::open_or_default(folder.path().join("one.json"), &options)?;
/// let other = Guarded::<u64>::open_or_default(folder.path().join("other.json"), &options)?;
/// one.replace(&10)?;
/// update_all(&[&one, &other], |amounts| {
///     amounts[0] -= 3;
///     amounts[1] += 3;
/// })?;
/// assert_eq!((one.read()?, other.read()?), (7, 3));
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// As [`Guarded::update`], or a document is named twice. Nothing was changed; but if a program that takes no lock writes
/// one of them at the wrong moment, others may have been: the error says which.
pub fn update_all<T, R>(documents: &[&Guarded<T>], mut change: impl FnMut(&mut [T]) -> R) -> Result<R, WriteError>
where
    T: Serialize + DeserializeOwned,
{
    let writers: Vec<&Writer> = documents.iter().map(|guarded| &guarded.writer).collect();
    let mut made = None;
    update_together(&writers, |present| {
        let texts = present.iter().zip(documents).map(|(present, guarded)| guarded.or_initial(*present));
        let texts = texts.collect::<Result<Vec<_>, _>>()?;
        let mut values = texts.iter().map(|bytes| text::read(bytes)).collect::<Result<Vec<T>, _>>()?;
        made = Some(change(&mut values));
        values.iter().zip(&texts).map(|(value, before)| text::written(value, Some(before))).collect()
    })?;
    made.ok_or_else(|| documents[0].unchanged())
}
