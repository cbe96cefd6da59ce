//! The rules that can be given up, one by one and by name.

/// A rule of the verifier that a sender does not keep.
///
/// Each opens something that is closed otherwise; its text says what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Leniency {
    /// Ids with dots in them.
    ///
    /// Then the signed text `id.timestamp.body` can be cut in more than one place: who has a
    /// delivery whose body begins with digits and a dot can send it again as another id and a
    /// shorter body.
    DottedIds,
    /// Ids of more than 128 bytes. They are your keys when you deduplicate: see that they fit.
    LongIds,
    /// A header that is there more than once, every time with the same value.
    ///
    /// With different values it is always refused: whoever sits in between may have read another
    /// one than we would.
    RepeatedHeaders,
    /// White space around the timestamp, which is then not part of what was signed.
    PaddedTimestamps,
    /// Signatures without the padding of base64, or with bits set beneath it.
    ///
    /// Then there are several texts of one signature: never deduplicate on the signature.
    LooseSignatures,
}

/// A set of them.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Leniencies(u8);

impl Leniencies {
    pub(crate) fn with(self, leniency: Leniency) -> Self {
        Self(self.0 | 1 << leniency as u8)
    }

    pub(crate) fn has(self, leniency: Leniency) -> bool {
        self.0 & 1 << leniency as u8 != 0
    }
}
