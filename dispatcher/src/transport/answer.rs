//! Reading what came back: the status, what is asked for, and the beginning of the body.

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::Response;
use hyper::body::Incoming;
use hyper::header::RETRY_AFTER;

use super::{Answer, KEPT_BYTES};

/// How much of an answer is read so that its connection can be used again. What sends more has its
/// connection closed.
pub(super) const READ_BYTES: u32 = 64 * 1024;

/// As much of an answer as is kept.
pub(super) async fn read(answer: Response<Incoming>) -> hyper::Result<Answer> {
    let status = answer.status().as_u16();
    let retry_after = answer.headers().get(RETRY_AFTER);
    let retry_after = retry_after.and_then(|value| value.to_str().ok()).map(str::to_owned);
    Ok(Answer { status, retry_after, body: beginning(answer.into_body()).await? })
}

/// The beginning of the body; the rest is read as far as it is worth it, and dropped.
async fn beginning(mut body: Incoming) -> hyper::Result<Bytes> {
    let mut kept = BytesMut::new();
    let mut seen = 0;
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame?.into_data() else { continue };
        seen += data.len();
        kept.extend_from_slice(&data[..data.len().min(KEPT_BYTES - kept.len())]);
        if seen > READ_BYTES as usize {
            break;
        }
    }
    Ok(kept.freeze())
}
