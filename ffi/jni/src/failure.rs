//! The one way from a Rust error or panic to `org.relevo.RelevoException`.

use core::any::Any;
use core::fmt::Display;
use std::cell::{Cell, RefCell};
use std::sync::OnceLock;

use jni::errors::{Error, ErrorPolicy};
use jni::objects::JClass;
use jni::refs::Global;
use jni::strings::JNIString;
use jni::{Env, jni_str};

/// The class of every exception thrown here, found once in `JNI_OnLoad`.
static EXCEPTION: OnceLock<Global<JClass<'static>>> = OnceLock::new();

thread_local! {
    /// Whether this thread is inside a native method, so that a panic gets to Java.
    static CALLED: Cell<bool> = const { Cell::new(false) };
    /// Text of this thread's last panic.
    static PANIC: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Why a native method failed.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The virtual machine refused a call.
    Jni(Error),
    /// Any other error, with the message that Java shows.
    Message(String),
}

impl Failure {
    /// An error of the node.
    pub(crate) fn of(error: impl Display) -> Self {
        Self::Message(error.to_string())
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Jni(error)
    }
}

impl From<&str> for Failure {
    fn from(message: &str) -> Self {
        Self::Message(message.to_owned())
    }
}

impl Display for Failure {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Jni(error) => write!(f, "JNI: {error}"),
            Self::Message(message) => f.write_str(message),
        }
    }
}

impl core::error::Error for Failure {}

/// Throws `RelevoException` with the message of the error or panic.
pub(crate) struct Throw;

impl<T: Default> ErrorPolicy<T, Failure> for Throw {
    type Captures<'local: 'method, 'method> = ();

    fn on_error<'local: 'method, 'method>(
        env: &mut Env<'local>,
        _: &mut (),
        failure: Failure,
    ) -> jni::errors::Result<T> {
        throw(env, &failure.to_string());
        Ok(T::default())
    }

    fn on_panic<'local: 'method, 'method>(
        env: &mut Env<'local>,
        _: &mut (),
        _: Box<dyn Any + Send + 'static>,
    ) -> jni::errors::Result<T> {
        let text = PANIC.take().unwrap_or_else(|| "unknown".to_owned());
        throw(
            env,
            &format!("internal error of Relevo, please report it: {text}"),
        );
        Ok(T::default())
    }
}

/// Throws, unless Java already has a pending exception, which came first.
fn throw(env: &mut Env<'_>, message: &str) {
    if env.exception_check() {
        return;
    }
    let message = JNIString::from(message);
    // The call returns the error "an exception is pending", which is intended here.
    let _ = match EXCEPTION.get() {
        Some(class) => env.throw_new(class, message),
        None => env.throw_new(jni_str!("java/lang/IllegalStateException"), message),
    };
}

/// Finds the exception's class while the loader of `org.relevo` is the one that is asked.
pub(crate) fn find_exception(env: &mut Env<'_>) -> jni::errors::Result<()> {
    let class = env.find_class(jni_str!("org/relevo/RelevoException"))?;
    let class = env.new_global_ref(class)?;
    // A second load of the same library brings the same class.
    let _ = EXCEPTION.set(class);
    Ok(())
}

/// Runs the body of a native method, and marks the thread so that a panic is reported to Java only.
pub(crate) fn called<T>(body: impl FnOnce() -> Result<T, Failure>) -> Result<T, Failure> {
    CALLED.set(true);
    let result = body();
    CALLED.set(false);
    result
}

/// Keeps the text of panics in native methods for the exception; those of the node's own thread
/// go to standard error (Tomcat's `catalina.out`), in one line.
pub(crate) fn watch_panics() {
    std::panic::set_hook(Box::new(|info| {
        if CALLED.replace(false) {
            PANIC.set(Some(info.to_string().replace('\n', " ")));
        } else {
            eprintln!("relevo: internal error, please report it: {info}");
        }
    }));
}
