#include "pare/data.h"

#include "api/access.h"
#include "compress/inputs.h"
#include "data/stored.h"

namespace pare {

Result<Dataset> Dataset::Open(const std::string& path, const std::string& label_column) {
  return Guarded([&]() -> Result<Dataset> {
    data::DatasetOptions options;
    options.label_column = label_column;
    PARE_ASSIGN(auto dataset, data::OpenDataset(path, options));
    return Dataset(std::make_shared<const Impl>(Impl{std::move(dataset)}));
  });
}

Result<Dataset> Dataset::Open(const std::string& path, const Model& model,
                              const std::string& label_column) {
  return Guarded([&]() -> Result<Dataset> {
    const auto& taker = Access::Of(model);
    data::DatasetOptions options;
    options.label_column = label_column;
    data::UseStored(taker.graph.metadata, options);
    compress::DescribeTaker(taker.graph, taker.preprocess, options);
    PARE_ASSIGN(auto dataset, data::OpenDataset(path, options));
    return Dataset(std::make_shared<const Impl>(Impl{std::move(dataset)}));
  });
}

int64_t Dataset::size() const { return impl_->dataset->size(); }
bool Dataset::has_labels() const { return impl_->dataset->has_labels(); }

}  // namespace pare
