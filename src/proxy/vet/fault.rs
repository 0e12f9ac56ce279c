//! Why was this request refused, and with which status?

use http::StatusCode;

/// Why a request is not served.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(in crate::proxy) enum Fault {
    /// The method is not one that Supabase has; methods are case-sensitive.
    #[error("this method is not served here")]
    MethodUnknown,
    /// CONNECT and TRACE are never served, not even as extra methods.
    #[error("tunnels and traces are not served here")]
    MethodForbidden,
    /// The request line names something other than a path: `*`, `host:port`, a bare word.
    #[error("the request target must be a path that starts with a slash")]
    TargetNotPath,
    /// The target's scheme is neither http nor https.
    #[error("the request target has a scheme other than http and https")]
    SchemeUnknown,
    /// The absolute target's scheme is not the one that this connection speaks.
    #[error("the request target has a scheme that this connection does not speak")]
    SchemeMisdirected,
    /// Nothing says which host is meant.
    #[error("the Host header is missing")]
    HostMissing,
    /// More than one Host header, equal or not.
    #[error("the Host header is repeated")]
    HostRepeated,
    /// Not a host name or address with an optional port: userinfo, lists, paths and bad ports end here.
    #[error("the host is not a name or an address with an optional port")]
    HostMalformed,
    /// An absolute target names another host than the Host header.
    #[error("the request target names another host than the Host header")]
    HostMisdirected,
    /// On HTTP/2, `:authority` and the Host header differ.
    #[error("the :authority and Host headers differ")]
    HostConflict,
    /// More header lines than any client has a use for.
    #[error("the request has too many headers")]
    HeadersTooMany,
    /// A header that decides who asks or which schema is meant came twice, or as a list.
    #[error("a header that may be sent only once is repeated")]
    HeaderRepeated,
    /// A name with `_` that some servers read as a header with `-` that matters.
    #[error("a header's name is another spelling of a protected one")]
    HeaderAliased,
    /// `Connection` would have an end-to-end header removed, such as `authorization`.
    #[error("the Connection header names an end-to-end header")]
    ConnectionNamesEndToEnd,
    /// `Connection` lists more names than any client has a use for.
    #[error("the Connection header names too many headers")]
    ConnectionTooLong,
    /// `Connection` holds something that is no header name.
    #[error("the Connection header is malformed")]
    ConnectionMalformed,
    /// The body is chunked twice, or more than one Transfer-Encoding was sent.
    #[error("the Transfer-Encoding header is repeated")]
    CodingRepeated,
    /// The body is coded in a way that is not `chunked` alone.
    #[error("the only transfer coding that is served is chunked")]
    CodingUnknown,
    /// Not one number, whatever the transport made of it.
    #[error("the Content-Length header is malformed")]
    LengthMalformed,
    /// The announced body is larger than anything Supabase takes.
    #[error("the announced body is too large")]
    BodyTooLarge,
    /// An expectation other than `100-continue`.
    #[error("the only expectation that is met is 100-continue")]
    ExpectationUnknown,
}

impl Fault {
    /// The status to answer with.
    pub(in crate::proxy) fn status(self) -> StatusCode {
        match self {
            Fault::MethodUnknown | Fault::MethodForbidden => StatusCode::METHOD_NOT_ALLOWED,
            Fault::SchemeMisdirected | Fault::HostMisdirected => StatusCode::MISDIRECTED_REQUEST,
            Fault::HeadersTooMany => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Fault::CodingUnknown => StatusCode::NOT_IMPLEMENTED,
            Fault::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Fault::ExpectationUnknown => StatusCode::EXPECTATION_FAILED,
            Fault::TargetNotPath
            | Fault::SchemeUnknown
            | Fault::HostMissing
            | Fault::HostRepeated
            | Fault::HostMalformed
            | Fault::HostConflict
            | Fault::HeaderRepeated
            | Fault::HeaderAliased
            | Fault::ConnectionNamesEndToEnd
            | Fault::ConnectionTooLong
            | Fault::ConnectionMalformed
            | Fault::CodingRepeated
            | Fault::LengthMalformed => StatusCode::BAD_REQUEST,
        }
    }

    /// Whether an HTTP/1 connection must be closed after the answer: the sender and we may not agree on
    /// where the next request begins, or the sender tries things. On HTTP/2 streams are framed apart.
    pub(in crate::proxy) fn closes(self) -> bool {
        match self {
            // Well-framed and well-meant; hyper closes by itself if a body is left unread.
            Fault::MethodUnknown => false,
            Fault::MethodForbidden
            | Fault::TargetNotPath
            | Fault::SchemeUnknown
            | Fault::SchemeMisdirected
            | Fault::HostMissing
            | Fault::HostRepeated
            | Fault::HostMalformed
            | Fault::HostMisdirected
            | Fault::HostConflict
            | Fault::HeadersTooMany
            | Fault::HeaderRepeated
            | Fault::HeaderAliased
            | Fault::ConnectionNamesEndToEnd
            | Fault::ConnectionTooLong
            | Fault::ConnectionMalformed
            | Fault::CodingRepeated
            | Fault::CodingUnknown
            | Fault::LengthMalformed
            | Fault::BodyTooLarge
            | Fault::ExpectationUnknown => true,
        }
    }

    /// A short name for labels and logs.
    pub(in crate::proxy) fn as_str(self) -> &'static str {
        match self {
            Fault::MethodUnknown => "method_unknown",
            Fault::MethodForbidden => "method_forbidden",
            Fault::TargetNotPath => "target_not_path",
            Fault::SchemeUnknown => "scheme_unknown",
            Fault::SchemeMisdirected => "scheme_misdirected",
            Fault::HostMissing => "host_missing",
            Fault::HostRepeated => "host_repeated",
            Fault::HostMalformed => "host_malformed",
            Fault::HostMisdirected => "host_misdirected",
            Fault::HostConflict => "host_conflict",
            Fault::HeadersTooMany => "headers_too_many",
            Fault::HeaderRepeated => "header_repeated",
            Fault::HeaderAliased => "header_aliased",
            Fault::ConnectionNamesEndToEnd => "connection_names_end_to_end",
            Fault::ConnectionTooLong => "connection_too_long",
            Fault::ConnectionMalformed => "connection_malformed",
            Fault::CodingRepeated => "coding_repeated",
            Fault::CodingUnknown => "coding_unknown",
            Fault::LengthMalformed => "length_malformed",
            Fault::BodyTooLarge => "body_too_large",
            Fault::ExpectationUnknown => "expectation_unknown",
        }
    }
}
