//! What can be set on a client and on a server alike.

/// Gives a builder with the fields `config`, `options` and `router` the methods that set them.
macro_rules! settings {
    ($builder:ident) => {
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
