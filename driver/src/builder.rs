//! What can be set on a client and on a server alike.

/// Gives a builder with the fields `config`, `options`, `router` and `traces` the methods that set them.
macro_rules! settings {
    ($builder:ident) => {
        #[cfg(feature = "seal")]
        impl<R: $crate::Runtime> $builder<R> {
            /// Seals each line. A peer that does not is refused, unless the policy says otherwise.
            pub fn seal(mut self, seal: $crate::seal::Seal) -> Self {
                self.seal = Some(seal);
                self
            }

            /// How lines are sealed, if they can be like that.
            fn checked_seal(&self, role: $crate::Role) -> Result<Option<$crate::seal::Seal>, $crate::Error> {
                if let Some(seal) = &self.seal {
                    seal.check(role)?;
                    if !self.traces.is_nowhere() {
                        return Err($crate::seal::SealError::Recorded.into());
                    }
                }
                Ok(self.seal.clone())
            }
        }

        impl<R: $crate::Runtime> $builder<R> {
            /// Sizes and timeouts of each line.
            pub fn config(mut self, config: $crate::Config) -> Self {
                self.config = config;
                self
            }

            /// How sockets are set up.
            pub fn socket(mut self, socket: $crate::SocketOptions) -> Self {
                self.options.socket = socket;
                self
            }

            /// Records the line of a client into this file, which is created or replaced; of a server, each line into a file of
            /// its own in this folder, which exists: `1.trace` and on, behind those that are there. See
            /// [`trace`]($crate::trace).
            pub fn trace(mut self, path: impl Into<std::path::PathBuf>) -> Self {
                self.traces = $crate::trace::Traces::At(path.into());
                self
            }

            /// Records each line as this says of its number; lines are counted from 1.
            pub fn trace_with<F>(mut self, recording: F) -> Self
            where
                F: Fn(u64) -> $crate::trace::Recording + Send + Sync + 'static,
            {
                self.traces = $crate::trace::Traces::With(std::sync::Arc::new(recording));
                self
            }

            /// Handles an action of the peer's; see [`Router::on`].
            pub fn on<'a, T, A, F, Fut>(mut self, action: impl Into<$crate::To<'a>>, handler: F) -> Self
            where
                T: $crate::FromBody + Send + 'static,
                A: $crate::ToBody + Send + 'static,
                F: Fn(T) -> Fut + Send + Sync + 'static,
                Fut: Future<Output = Result<A, $crate::Failure>> + Send + 'static,
            {
                self.router = self.router.on(action, handler);
                self
            }

            /// Handles an action with the message itself; see [`Router::on_message`].
            pub fn on_message<'a, F, Fut>(mut self, action: impl Into<$crate::To<'a>>, handler: F) -> Self
            where
                F: Fn($crate::Message) -> Fut + Send + Sync + 'static,
                Fut: Future<Output = Result<(), $crate::Failure>> + Send + 'static,
            {
                self.router = self.router.on_message(action, handler);
                self
            }

            /// Handles what no other handler does; see [`Router::fallback`].
            pub fn fallback<F, Fut>(mut self, handler: F) -> Self
            where
                F: Fn($crate::Message) -> Fut + Send + Sync + 'static,
                Fut: Future<Output = Result<(), $crate::Failure>> + Send + 'static,
            {
                self.router = self.router.fallback(handler);
                self
            }

            /// Uses these handlers instead of those set so far.
            pub fn router(mut self, router: Router) -> Self {
                self.router = router;
                self
            }
        }
    };
}
pub(crate) use settings;
