#include "cli/sample.h"

#include "cli/inputs.h"
#include "cli/text.h"
#include "platform/clock.h"

namespace pare::cli {

void SampleOptions::Declare(Parser& parser) {
  parser.Group("inputs (made-up numbers where nothing is given)");
  parser.Option("--input", "[NAME=]FILE", inputs,
                "an .npy, or an .npz with arrays by name (repeatable)");
  DeclareShapes(parser, shapes);
  parser.Option("--seed", "N", seed, 0, "of the made-up numbers (default 0)");
  machine.Declare(parser);
  DeclareSeconds(parser, seconds, "how long to measure (default 2)");
  data.Declare(parser, DataOptions::Need::kOneBatch);
}

Result<Sample> SampleOptions::Open(const std::string& path, const model::Context& context,
                                   Console& console) const {
  Sample sample;
  const Stopwatch watch;
  PARE_ASSIGN(model::Model model, model::Model::Load(path));
  PARE_ASSIGN(sample.session, OfModel(model::MakeSession(model.graph(), context), path));
  sample.load_ms = watch.ms();
  PARE_TRY(data.ApplyTo(model));
  NoteFixedBatch(model, machine.batch, console);
  sample.files = model.data_files();
  PARE_TRY(MakeInputs(model, sample, console));
  return sample;
}

void SampleOptions::AddTo(CommandFiles& files) const {
  data.AddTo(files);
  for (const std::string& input : inputs) files.Read(InputPaths(input));
}

Status SampleOptions::MakeInputs(const model::Model& model, Sample& sample,
                                 Console& console) const {
  if (!inputs.empty()) {
    if (machine.batch != 1)
      console.Note("--batch has no effect: --input says how many samples there are");
    PARE_ASSIGN(sample.inputs, ReadInputs(model.graph(), inputs, CastInputs::kNo, console));
    return {};
  }
  if (data.path.empty()) {
    PARE_ASSIGN(const auto sizes, ResolveShapes(model.graph(), shapes, machine.batch));
    PARE_ASSIGN(sample.inputs, cli::MakeInputs(model.graph(), sizes, seed));
    return {};
  }
  PARE_ASSIGN(const auto dataset, data.Open(model, console));
  const std::vector<std::string> files = dataset->files();
  sample.files.insert(sample.files.end(), files.begin(), files.end());
  PARE_ASSIGN(data::Loader loader,
              data::Loader::Make(
                  dataset, model::InputSpecs(model.graph()),
                  {.batch = machine.batch, .preprocess = model.preprocess(), .prefetch = false}));
  PARE_ASSIGN(auto batch, loader.Next());
  if (!batch) return Fail(Error(ErrorKind::kUsage, "there are no samples").at(data.path));
  sample.inputs = std::move(batch->inputs);
  sample.from = *std::move(batch);
  return {};
}

}  // namespace pare::cli
