//! What is wrong with a request before its body: rules of HTTP that the library below leaves to us.

use axum::http::header::{HOST, TRANSFER_ENCODING};
use axum::http::{Request, StatusCode, Version};

use super::problem::Problem;

/// Why a request cannot be answered as it is meant; a proxy on the way may have understood another one.
pub(crate) fn flaw<B>(request: &Request<B>) -> Option<Problem> {
    let headers = request.headers();
    let hosts = headers.get_all(HOST).iter().count();
    let is_hostless = hosts == 0 && request.version() == Version::HTTP_11;
    if is_hostless || hosts > 1 {
        let (status, help) = (StatusCode::BAD_REQUEST, "send the header Host once");
        let detail = "the request has no header Host, or more than one";
        return Some(Problem::new(status, "host_invalid", detail, help));
    }
    let mut encodings = headers.get_all(TRANSFER_ENCODING).iter();
    let is_chunked = |value: &[u8]| value.trim_ascii().eq_ignore_ascii_case(b"chunked");
    let is_known = encodings.next().is_none_or(|it| is_chunked(it.as_bytes()));
    if is_known && encodings.next().is_none() {
        return None;
    }
    Some(Problem::new(
        StatusCode::NOT_IMPLEMENTED,
        "transfer_encoding_unknown",
        "the body has a Transfer-Encoding other than chunked",
        "send the body as it is or chunked, and name its compression in Content-Encoding",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_that_could_be_understood_in_two_ways_are_refused() {
        for (version, headers, code) in [
            (Version::HTTP_11, &[("host", "a")][..], None),
            (Version::HTTP_11, &[("host", "")], None),
            (Version::HTTP_11, &[], Some("host_invalid")),
            (Version::HTTP_10, &[], None),
            (
                Version::HTTP_11,
                &[("host", "a"), ("host", "a")],
                Some("host_invalid"),
            ),
            (
                Version::HTTP_10,
                &[("host", "a"), ("host", "b")],
                Some("host_invalid"),
            ),
            (
                Version::HTTP_11,
                &[("host", "a"), ("transfer-encoding", " Chunked")],
                None,
            ),
            (
                Version::HTTP_11,
                &[("host", "a"), ("transfer-encoding", "gzip, chunked")],
                Some("transfer_encoding_unknown"),
            ),
            (
                Version::HTTP_11,
                &[
                    ("host", "a"),
                    ("transfer-encoding", "gzip"),
                    ("transfer-encoding", "chunked"),
                ],
                Some("transfer_encoding_unknown"),
            ),
            (
                Version::HTTP_11,
                &[
                    ("host", "a"),
                    ("transfer-encoding", "chunked"),
                    ("transfer-encoding", "chunked"),
                ],
                Some("transfer_encoding_unknown"),
            ),
        ] {
            let mut request = Request::builder().version(version);
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            let problem = flaw(&request.body(()).unwrap());
            assert_eq!(problem.map(|it| it.code), code, "{version:?} {headers:?}");
        }
    }
}
