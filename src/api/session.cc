#include "pare/session.h"

#include "api/access.h"

namespace pare {

struct Session::Impl {
  std::unique_ptr<runtime::Session> session;
};

Session::Session(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Session::Session(Session&&) noexcept = default;
Session& Session::operator=(Session&&) noexcept = default;
Session::~Session() = default;

Result<Session> Session::Make(const Model& model, const SessionOptions& options) {
  return Guarded([&]() -> Result<Session> {
    auto impl = std::make_unique<Impl>();
    PARE_ASSIGN(const graph::Graph graph, Access::Of(model).Simplified());
    PARE_ASSIGN(impl->session, model::MakeSession(graph, model::Context::Make(options.threads)));
    return Session(std::move(impl));
  });
}

Status Session::Run(std::span<const Tensor> inputs, std::span<Tensor> outputs) {
  return Guarded([&]() -> Status { return impl_->session->Run(inputs, outputs); });
}

Result<std::vector<Tensor>> Session::Run(std::span<const Tensor> inputs) {
  return Guarded([&]() -> Result<std::vector<Tensor>> {
    std::vector<Tensor> outputs(impl_->session->graph().outputs().size());
    PARE_TRY(impl_->session->Run(inputs, outputs));
    return outputs;
  });
}

}  // namespace pare
