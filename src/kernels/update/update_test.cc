#include "kernels/update/update.h"

#include "kernels/testing.h"

namespace pare::kernels {
namespace {

const int64_t kCounts[] = {1, 3, 8, 15, 16, 17, 100, 16384, 40001};

const Row<UpdateKernel>& Reference() { return *(UpdateRows().end() - 1); }

struct Operands {
  explicit Operands(int64_t count) : p(count, 1), g(count, 2), m(count, 3), v(count) {
    Random random(static_cast<uint32_t>(count));
    for (Buffer<float>* buffer : {&p, &g, &m}) random.fill(*buffer);
    random.fill(v, 0, 1);
  }
  Buffer<float> p, g, m, v;
};

struct Results {
  explicit Results(int64_t count) : p(count, 2), m(count), v(count, 1) {}
  Buffer<float> p, m, v;
  void ExpectLike(const Results& other) const {
    for (auto member : {&Results::p, &Results::m, &Results::v}) {
      ExpectNear((this->*member).span(), (other.*member).span(), 2e-6);
      EXPECT_TRUE((this->*member).guards_hold());
    }
  }
};

TEST(Update, SgdOfEveryForm) {
  for (int64_t count : kCounts) {
    for (int form = 0; form < 3; ++form) {  // plain, momentum, Nesterov
      Operands in(count);
      const auto run = [&](const Row<UpdateKernel>& row, Results& out) {
        const SgdArgs args{.count = count,
                           .rate = 0.1f,
                           .gradient_scale = 0.5f,
                           .momentum = 0.75f,
                           .weight_decay = 0.01f,
                           .nesterov = form == 2,
                           .p = in.p.data(),
                           .g = in.g.data(),
                           .buffer = form ? in.m.data() : nullptr,
                           .new_p = out.p.data(),
                           .new_buffer = out.m.data()};
        for (int64_t task = row->tasks(count); task-- > 0;) row->sgd(args, task, task + 1);
      };
      Results expected(count);
      run(Reference(), expected);
      ForEachRow(UpdateRows(), [&](const Row<UpdateKernel>& row) {
        Results actual(count);
        run(row, actual);
        actual.ExpectLike(expected);
      });
    }
  }
}

TEST(Update, AdamW) {
  for (int64_t count : kCounts) {
    Operands in(count);
    const auto run = [&](const Row<UpdateKernel>& row, Results& out) {
      const AdamWArgs args{.count = count,
                           .beta1 = 0.9f,
                           .beta2 = 0.99f,
                           .epsilon = 1e-3f,
                           .gradient_scale = 0.5f,
                           .rate = 0.1f,
                           .root_scale = 2,
                           .keep = 0.999f,
                           .p = in.p.data(),
                           .g = in.g.data(),
                           .m = in.m.data(),
                           .v = in.v.data(),
                           .new_p = out.p.data(),
                           .new_m = out.m.data(),
                           .new_v = out.v.data()};
      for (int64_t task = row->tasks(count); task-- > 0;) row->adamw(args, task, task + 1);
    };
    Results expected(count);
    run(Reference(), expected);
    ForEachRow(UpdateRows(), [&](const Row<UpdateKernel>& row) {
      Results actual(count);
      run(row, actual);
      actual.ExpectLike(expected);
    });
  }
}

}  // namespace
}  // namespace pare::kernels
