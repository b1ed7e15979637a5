//! Shell: the requests about files: lists and downloads, and uploads that can be resumed (tus 1.0).

use super::{
    Files,
    folder::{self, Folder, Found},
    headers::{self, Part},
    name,
    uploads::{NotBegun, NotWritten, Upload},
};
use futures_util::{Stream, StreamExt, stream};
use gstvdi::wswebrtcsink::Mark;
use std::{
    fs::File,
    io,
    os::unix::fs::FileExt,
    pin::pin,
    sync::{Arc, Mutex},
};
use vdi_protocol::files::List;
use warp::{
    Buf, Filter, Rejection, Reply,
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    reply::Response,
};

/// Bytes that are read from the disk, or written to it, at once.
const CHUNK_BYTES: usize = 256 * 1024;
/// Below it, what is on its way.
const UPLOADS: &str = ".uploads/";
const NOT_IN_CONTROL: &str = "Only the page in control shares files.";

/// Everything below `files/{token}/`.
pub fn routes(files: Files) -> impl Filter<Extract = (Response,), Error = Rejection> + Clone + Send + Sync {
    warp::path("files")
        .and(warp::path::param())
        .and(warp::path::tail())
        .and(warp::method())
        .and(warp::header::headers_cloned())
        .and(warp::body::stream())
        .and(warp::ext::optional::<Mark>())
        .then(move |token: String, path: warp::path::Tail, method, headers, body, mark: Option<Mark>| {
            let files = files.clone();
            let person = files.person();
            let stay = Stay { files: files.clone(), token: token.clone(), guest: mark.is_some(), person };
            async move {
                if !files.lets_in(&token) {
                    return say(StatusCode::FORBIDDEN, NOT_IN_CONTROL);
                }
                match path.as_str().strip_prefix(UPLOADS) {
                    Some(id) => uploaded(&files, id, &method, &headers, body, &stay).await,
                    None => asked(&files, path.as_str(), &method, headers, stay).await,
                }
            }
        })
}

/// For how long what is under way may go on: until somebody else has control. A guest's ends with his own, and so with his invitation;
/// that of whoever has the password outlasts a reload of the page, since the browser's downloads do.
struct Stay {
    files: Files,
    token: String,
    guest: bool,
    /// Who asks, for the log.
    person: String,
}

impl Stay {
    fn is_over(&self) -> bool {
        if self.guest { !self.files.lets_in(&self.token) } else { self.files.is_others(&self.token) }
    }
}

/// A list, a file, or the beginning of an upload.
async fn asked(files: &Files, path: &str, method: &Method, headers: HeaderMap, stay: Stay) -> Response {
    let Some(names) = name::path(path) else {
        return say(
            StatusCode::BAD_REQUEST,
            "This is no path of a shared file: accepted are names without a dot in front.",
        );
    };
    let policy = &files.0.policy;
    match *method {
        Method::GET | Method::HEAD if policy.read => {
            let (folder, head) = (files.0.folder.clone(), *method == Method::HEAD);
            blocking(move || found(&folder, &names, &headers, head, stay)).await
        }
        Method::POST if policy.write => {
            let files = files.clone();
            blocking(move || begun(&files, &stay, names, &headers)).await
        }
        Method::GET | Method::HEAD => say(StatusCode::FORBIDDEN, "Files are not shared in this direction."),
        Method::POST => say(StatusCode::FORBIDDEN, "Files are not taken here."),
        _ => say(StatusCode::METHOD_NOT_ALLOWED, "Accepted are GET, HEAD and POST."),
    }
}

fn found(folder: &Folder, names: &[String], headers: &HeaderMap, head: bool, stay: Stay) -> Response {
    let opened = match folder.open(names) {
        Ok(Found::Folder(opened)) => {
            return match Folder::list(opened) {
                Ok(entries) => warp::reply::json(&List { entries }).into_response(),
                Err(err) => disk(&err),
            };
        }
        Ok(Found::File(file, stat)) => (file, stat),
        Err(err) => return disk(&err),
    };
    let (file, stat) = opened;
    let size = folder::size(&stat);
    let modified = i128::from(stat.st_mtime) * 1_000_000_000 + i128::from(stat.st_mtime_nsec);
    let etag = headers::etag(size, modified, stat.st_ino);
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    // A file that has changed meanwhile comes whole, and not as the rest of another.
    let same = text(header::IF_RANGE).is_none_or(|known| headers::names(known, &etag));
    let part = headers::range(text(header::RANGE).filter(|_| same), size);
    let (status, from, length) = match part {
        _ if text(header::IF_NONE_MATCH).is_some_and(|known| headers::names(known, &etag)) => {
            (StatusCode::NOT_MODIFIED, 0, 0)
        }
        Part::Whole => (StatusCode::OK, 0, size),
        Part::Bytes { from, length } => (StatusCode::PARTIAL_CONTENT, from, length),
        Part::Outside => (StatusCode::RANGE_NOT_SATISFIABLE, 0, 0),
    };
    let empty = head || length == 0;
    if !head && status == StatusCode::OK && length == 0 {
        drop(Download::of(names, from, length, &stay));
    }
    let mut response = if empty {
        String::new().into_response()
    } else {
        warp::reply::stream(chunks(file, Download::of(names, from, length, &stay), stay)).into_response()
    };
    *response.status_mut() = status;
    let name = names.last().map(String::as_str).unwrap_or_default();
    let mut values = vec![
        (header::ETAG, etag),
        (header::ACCEPT_RANGES, "bytes".to_owned()),
        // Whatever it is: it is kept, and not shown as if it were ours.
        (header::CONTENT_TYPE, "application/octet-stream".to_owned()),
        (header::CONTENT_DISPOSITION, headers::attachment(name)),
        (header::CONTENT_SECURITY_POLICY, "sandbox; default-src 'none'".to_owned()),
    ];
    match part {
        Part::Bytes { .. } if status == StatusCode::PARTIAL_CONTENT => {
            values.push((header::CONTENT_RANGE, format!("bytes {from}-{}/{size}", from + length - 1)));
        }
        Part::Outside => values.push((header::CONTENT_RANGE, format!("bytes */{size}"))),
        _ => {}
    }
    if status != StatusCode::NOT_MODIFIED {
        values.push((header::CONTENT_LENGTH, length.to_string()));
    }
    for (name, value) in values {
        if let Ok(value) = HeaderValue::from_str(&value) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

/// What somebody gets of a file; says in the log how much that was when it is over, however it ends.
struct Download {
    person: String,
    name: String,
    from: u64,
    length: u64,
    sent: u64,
}

impl Download {
    fn of(names: &[String], from: u64, length: u64, stay: &Stay) -> Self {
        Self { person: stay.person.clone(), name: names.join("/"), from, length, sent: 0 }
    }
}

impl Drop for Download {
    fn drop(&mut self) {
        let Self { person, name, from, length, sent } = self;
        let part = if sent < length { "a part of a file, and no more" } else { "a file" };
        tracing::info!(name, bytes = sent, from, "{person} has downloaded {part}");
    }
}

/// The bytes of a file from a place on. One that is shortened meanwhile ends in an error, and not as if it were whole.
fn chunks(
    file: File,
    download: Download,
    stay: Stay,
) -> impl Stream<Item = io::Result<Vec<u8>>> + Send + Sync {
    let file = Arc::new(file);
    let chunks = stream::unfold((download, false), move |(mut download, failed)| {
        let file = file.clone();
        let over = stay.is_over();
        async move {
            let left = download.length - download.sent;
            if left == 0 || failed {
                return None;
            }
            if over {
                return Some((Err(io::Error::from(io::ErrorKind::PermissionDenied)), (download, true)));
            }
            let wanted = usize::try_from(left).unwrap_or(usize::MAX).min(CHUNK_BYTES);
            let at = download.from + download.sent;
            let read = tokio::task::spawn_blocking(move || {
                let mut chunk = vec![0; wanted];
                file.read_exact_at(&mut chunk, at).map(|()| chunk)
            });
            let chunk = read.await.unwrap_or_else(|err| Err(io::Error::other(err)));
            if chunk.is_ok() {
                download.sent += wanted as u64;
            }
            let failed = chunk.is_err();
            Some((chunk, (download, failed)))
        }
    });
    SyncStream(Mutex::new(Box::pin(chunks)))
}

/// A stream that only its owner polls, which is all that sharing it between threads could disturb.
struct SyncStream<T>(Mutex<std::pin::Pin<Box<dyn Stream<Item = T> + Send>>>);

impl<T> Stream for SyncStream<T> {
    type Item = T;

    fn poll_next(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<T>> {
        self.0.get_mut().unwrap_or_else(std::sync::PoisonError::into_inner).as_mut().poll_next(context)
    }
}

fn begun(files: &Files, stay: &Stay, folder: Vec<String>, headers: &HeaderMap) -> Response {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let Some(length) = headers::number(text("upload-length")) else {
        return say(StatusCode::BAD_REQUEST, "Upload-Length is missing: accepted is a number of bytes.");
    };
    let max = files.0.policy.max_bytes;
    if length > max {
        return say(
            StatusCode::PAYLOAD_TOO_LARGE,
            &format!("The file is too large: accepted are {max} bytes."),
        );
    }
    let Some(name) = text("upload-metadata").and_then(headers::file_name).filter(|name| name::is_name(name))
    else {
        return say(
            StatusCode::BAD_REQUEST,
            "The name is missing or not accepted: no slash, and no dot in front.",
        );
    };
    if !files.0.folder.has(&folder) {
        return say(StatusCode::NOT_FOUND, "There is no such folder.");
    }
    let upload = match files.0.uploads.begin(folder, name, length) {
        Ok(upload) => upload,
        Err(NotBegun::TooMany) => {
            return say(
                StatusCode::TOO_MANY_REQUESTS,
                "Too many uploads are under way; wait for one to end.",
            );
        }
        Err(NotBegun::Disk(err)) => return disk(&err),
    };
    let mut response =
        if length == 0 { finished(files, &upload, &stay.person) } else { say(StatusCode::CREATED, "") };
    if response.status().is_success() {
        *response.status_mut() = StatusCode::CREATED;
    }
    put(&mut response, "location", &format!("/files/{}/{UPLOADS}{}", stay.token, upload.id));
    put(&mut response, "upload-offset", "0");
    response
}

/// An upload of this process, or one from before that may still be as large.
async fn find(files: &Files, id: &str) -> Option<Arc<Upload>> {
    if let Some(upload) = files.0.uploads.find(id) {
        return Some(upload);
    }
    let (uploads, id) = (files.0.uploads.clone(), id.to_owned());
    let now = jiff::Timestamp::now().as_second();
    let found = tokio::task::spawn_blocking(move || uploads.resume(&id, now)).await.ok()?;
    found.filter(|upload| upload.note.length <= files.0.policy.max_bytes)
}

/// How much of an upload is there, more of it, or no more of it.
async fn uploaded<S, B>(
    files: &Files,
    id: &str,
    method: &Method,
    headers: &HeaderMap,
    body: S,
    stay: &Stay,
) -> Response
where
    S: Stream<Item = Result<B, warp::Error>> + Send,
    B: Buf + Send,
{
    if !files.0.policy.write {
        return say(StatusCode::FORBIDDEN, "Files are not taken here.");
    }
    if let Some(known) = files.0.uploads.finished(id).filter(|_| method == Method::HEAD) {
        // The answer that told so was lost.
        let mut response = say(StatusCode::OK, "");
        for (name, value) in [("upload-offset", known.length), ("upload-length", known.length)] {
            put(&mut response, name, &value.to_string());
        }
        put(&mut response, "upload-name", &headers::encoded(&known.name));
        return response;
    }
    let Some(upload) = find(files, id).await else {
        return say(
            StatusCode::NOT_FOUND,
            "There is no such upload; it was finished, given up, or is too old.",
        );
    };
    match *method {
        Method::HEAD => {
            let mut response = say(StatusCode::OK, "");
            put(&mut response, "upload-offset", &upload.offset().to_string());
            put(&mut response, "upload-length", &upload.note.length.to_string());
            response
        }
        Method::DELETE => {
            let (files, id) = (files.clone(), id.to_owned());
            blocking(move || {
                files.0.uploads.abandon(&id);
                say(StatusCode::NO_CONTENT, "")
            })
            .await
        }
        Method::PATCH => {
            let offset = headers.get("upload-offset").and_then(|value| value.to_str().ok());
            let turn = headers::number(offset).and_then(|offset| upload.take_turn(offset));
            let Some(turn) = turn else {
                let mut response = say(StatusCode::CONFLICT, "Upload-Offset is not where the upload stands.");
                put(&mut response, "upload-offset", &upload.offset().to_string());
                return response;
            };
            patched(files, upload, turn, body, stay).await
        }
        _ => say(StatusCode::METHOD_NOT_ALLOWED, "Accepted are HEAD, PATCH and DELETE."),
    }
}

async fn patched<S, B>(files: &Files, upload: Arc<Upload>, turn: u64, body: S, stay: &Stay) -> Response
where
    S: Stream<Item = Result<B, warp::Error>> + Send,
    B: Buf + Send,
{
    let mut body = pin!(body);
    let mut collected = Vec::with_capacity(CHUNK_BYTES);
    loop {
        let chunk = body.next().await;
        if stay.is_over() {
            return say(StatusCode::FORBIDDEN, NOT_IN_CONTROL);
        }
        let (end, cut) = (chunk.is_none(), matches!(chunk, Some(Err(_))));
        if let Some(Ok(mut chunk)) = chunk {
            while chunk.has_remaining() {
                let piece = chunk.chunk();
                collected.extend_from_slice(piece);
                let length = piece.len();
                chunk.advance(length);
            }
        }
        // What came before a cut counts.
        if collected.len() >= CHUNK_BYTES || (end || cut) && !collected.is_empty() {
            let bytes = std::mem::take(&mut collected);
            let of = upload.clone();
            let written = tokio::task::spawn_blocking(move || of.write(turn, &bytes)).await;
            match written {
                Ok(Ok(())) => {}
                Ok(Err(NotWritten::Overtaken)) => {
                    return say(StatusCode::CONFLICT, "Another request goes on with it.");
                }
                Ok(Err(NotWritten::TooLong)) => {
                    return say(StatusCode::BAD_REQUEST, "It is longer than Upload-Length.");
                }
                Ok(Err(NotWritten::Disk(err))) => {
                    // What is there of it would fill a disk that is full already, and nobody could remove it.
                    if matches!(err.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) {
                        let (files, id) = (files.clone(), upload.id.clone());
                        let _ = tokio::task::spawn_blocking(move || files.0.uploads.abandon(&id)).await;
                    }
                    return disk(&err);
                }
                Err(err) => return disk(&io::Error::other(err)),
            }
        }
        if cut {
            return say(StatusCode::BAD_REQUEST, "The request was cut.");
        }
        if end {
            break;
        }
    }
    let offset = upload.offset();
    let mut response = if upload.is_whole() {
        let (files, person) = (files.clone(), stay.person.clone());
        blocking(move || finished(&files, &upload, &person)).await
    } else {
        say(StatusCode::NO_CONTENT, "")
    };
    put(&mut response, "upload-offset", &offset.to_string());
    response
}

fn finished(files: &Files, upload: &Upload, person: &str) -> Response {
    match files.0.uploads.finish(upload) {
        Ok(name) => {
            let path = [&upload.note.folder[..], std::slice::from_ref(&name)].concat().join("/");
            tracing::info!(name = path, bytes = upload.note.length, "{person} has uploaded a file");
            let mut response = say(StatusCode::NO_CONTENT, "");
            put(&mut response, "upload-name", &headers::encoded(&name));
            response
        }
        Err(err) => disk(&err),
    }
}

async fn blocking(work: impl FnOnce() -> Response + Send + 'static) -> Response {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|err| disk(&io::Error::other(err)))
}

fn say(status: StatusCode, words: &str) -> Response {
    let words = if words.is_empty() { String::new() } else { format!("{words}\n") };
    let mut response = warp::reply::with_status(words, status).into_response();
    put(&mut response, "tus-resumable", headers::TUS);
    response
}

fn put(response: &mut Response, name: &'static str, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}

/// What the disk says, as far as it concerns others.
fn disk(err: &io::Error) -> Response {
    match err.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => {
            say(StatusCode::NOT_FOUND, "There is no such file.")
        }
        io::ErrorKind::PermissionDenied => say(StatusCode::FORBIDDEN, "The desktop does not allow it."),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            say(StatusCode::INSUFFICIENT_STORAGE, "There is no space left on the desktop.")
        }
        io::ErrorKind::AlreadyExists => say(StatusCode::CONFLICT, "There are too many files of this name."),
        _ if err.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error()) => {
            say(StatusCode::NOT_FOUND, "There is no such file.")
        }
        _ => {
            tracing::warn!("a file cannot be shared: {err}");
            say(StatusCode::INTERNAL_SERVER_ERROR, "The desktop could not do it.")
        }
    }
}
