#include "experiments/score/request_batches.h"

#include <algorithm>
#include <numeric>
#include <span>
#include <utility>

#include "core/device/torch_headers.h"

namespace wkvq {

namespace {

int64_t length_of(const Request& request) {
  return static_cast<int64_t>(request.tokens.size());
}

int64_t prefill_of(const Request& request, const BatchingOptions& options) {
  const bool own = options.context_prefill && options.view.mode == ViewMode::kPast;
  return own ? request.prefill : options.view.prefill;
}

/// `count` places from `first` on.
std::vector<int64_t> places(int64_t first, int64_t count) {
  std::vector<int64_t> all(static_cast<size_t>(std::max<int64_t>(0, count)));
  std::iota(all.begin(), all.end(), first);
  return all;
}

/// Tokens that go into a padded row.
int64_t read_of(const Request& request, const BatchingOptions& options) {
  const bool all = request.reads_last && request.item < 0;
  return length_of(request) - (options.equal_lengths && !all ? 1 : 0);
}

void pad(RequestBatch& batch, const std::vector<Request>& requests,
         const BatchingOptions& options) {
  int64_t longest = 0;
  for (const size_t i : batch.requests) longest = std::max(longest, read_of(requests[i], options));
  batch.tokens = at::zeros({static_cast<int64_t>(batch.requests.size()), longest}, at::kLong);
  int64_t* row = batch.tokens.mutable_data_ptr<int64_t>();
  int64_t begin = 0;
  for (const size_t i : batch.requests) {
    const Request& request = requests[i];
    std::copy_n(request.tokens.begin(), read_of(request, options), row + begin);
    batch.predictors.push_back(
        places(begin + request.score_from - 1, length_of(request) - request.score_from));
    begin += longest;
  }
}

std::vector<RequestBatch> padded_batches(const std::vector<Request>& requests,
                                         const BatchingOptions& options) {
  std::vector<size_t> order(requests.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    return std::pair(prefill_of(requests[a], options), read_of(requests[a], options)) <
           std::pair(prefill_of(requests[b], options), read_of(requests[b], options));
  });
  std::vector<RequestBatch> batches;
  for (const size_t i : order) {
    const int64_t prefill = prefill_of(requests[i], options);
    const auto held = batches.empty() ? 0 : static_cast<int64_t>(batches.back().requests.size());
    const bool other_length =
        held > 0 && options.equal_lengths &&
        read_of(requests[i], options) != read_of(requests[batches.back().requests[0]], options);
    if (held == 0 || other_length || (held + 1) * length_of(requests[i]) > kBatchTokens ||
        batches.back().view.prefill != prefill) {
      batches.push_back({.view = options.view});
      batches.back().view.prefill = prefill;
    }
    batches.back().requests.push_back(i);
  }
  for (RequestBatch& batch : batches) pad(batch, requests, options);
  return batches;
}

/// A request as the model reads it: all but its last token, which predicts nothing. Two requests
/// share position t where their tokens up to t are equal and each query there attends to the same
/// copies, which a different prefill may change.
struct Reading {
  size_t request;
  const std::vector<int32_t>* tokens;
  int64_t length, prefill;

  /// Distinct values mean distinct hidden states.
  int64_t at(int64_t t) const {
    return 2 * static_cast<int64_t>((*tokens)[static_cast<size_t>(t)]) + (t < prefill ? 1 : 0);
  }
};

int64_t shared_length(const Reading& a, const Reading& b) {
  const int64_t least = std::min(a.length, b.length);
  int64_t t = 0;
  while (t < least && a.at(t) == b.at(t)) ++t;
  return t;
}

/// In the order of a dictionary: what begins alike stands together, shorter ones first.
std::vector<Reading> readings_of(const std::vector<Request>& requests,
                                 const BatchingOptions& options) {
  std::vector<Reading> readings;
  for (size_t i = 0; i < requests.size(); ++i)
    readings.push_back(
        {i, &requests[i].tokens, length_of(requests[i]) - 1, prefill_of(requests[i], options)});
  std::stable_sort(readings.begin(), readings.end(), [](const Reading& a, const Reading& b) {
    const int64_t t = shared_length(a, b);
    if (t == a.length || t == b.length) return a.length < b.length;
    return a.at(t) < b.at(t);
  });
  return readings;
}

/// Builds one packed row, the tree of readings [first, last).
class RowBuilder {
 public:
  RowBuilder(const std::vector<Request>& requests, const BatchingOptions& options)
      : requests_(requests), options_(options), batch_{.view = options.view} {}

  RequestBatch build(std::span<const Reading> readings) {
    grow(readings, 0, -1);
    batch_.tokens = at::tensor(tokens_, at::kLong).unsqueeze(0);
    batch_.packed = pack_row(std::move(segments_), options_.device);
    return std::move(batch_);
  }

 private:
  // A segment of its own costs every block about as much as three tokens.
  static constexpr int64_t kWorth = 3;

  /// Readings that share their first `depth` tokens, which are in the row up to segment `trunk`.
  void grow(std::span<const Reading> readings, int64_t depth, int64_t trunk) {
    const int64_t shared = shared_length(readings.front(), readings.back());
    const auto others = static_cast<int64_t>(readings.size()) - 1;
    const bool worth =
        others == 0 || shared == readings.front().length || others * (shared - depth) > kWorth;
    const size_t path = path_.size();
    if (worth && shared > depth) {
      trunk = add_segment(readings.front(), depth, shared, trunk);
      depth = shared;
    }
    size_t i = 0;
    for (; i < readings.size() && readings[i].length == depth; ++i) finish(readings[i].request);
    while (i < readings.size()) {
      size_t end = i + 1;
      while (end < readings.size() && shared_length(readings[i], readings[end]) > shared) ++end;
      grow(readings.subspan(i, end - i), depth, trunk);
      i = end;
    }
    path_.resize(path);
  }

  /// Tokens [first, last) of a reading. Returns the segment's index.
  int64_t add_segment(const Reading& reading, int64_t first, int64_t last, int64_t trunk) {
    path_.push_back({first, static_cast<int64_t>(tokens_.size())});
    tokens_.insert(tokens_.end(), reading.tokens->begin() + first, reading.tokens->begin() + last);
    segments_.push_back({.length = last - first, .trunk = trunk, .prefill = reading.prefill});
    return static_cast<int64_t>(segments_.size()) - 1;
  }

  /// The path in the row is that of `request`.
  void finish(size_t request) {
    batch_.requests.push_back(request);
    std::vector<int64_t>& predictors = batch_.predictors.emplace_back();
    auto part = path_.begin();
    for (int64_t t = requests_[request].score_from - 1; t + 1 < length_of(requests_[request]);
         ++t) {
      while (part + 1 != path_.end() && part[1].first <= t) ++part;
      predictors.push_back(part->place + t - part->first);
    }
  }

  struct Part {
    int64_t first;  ///< position in the sequence
    int64_t place;  ///< of it in the row
  };
  const std::vector<Request>& requests_;
  const BatchingOptions& options_;
  RequestBatch batch_;
  std::vector<int64_t> tokens_;
  std::vector<PackedRow::Segment> segments_;
  std::vector<Part> path_;
};

/// Rows are cut where they are full, but not in the middle of what shares most of its tokens (the
/// solved examples in front of many questions) before they are four times as long.
std::vector<RequestBatch> packed_batches(const std::vector<Request>& requests,
                                         const BatchingOptions& options) {
  const std::vector<Reading> readings = readings_of(requests, options);
  std::vector<RequestBatch> batches;
  int64_t tokens = 0;
  size_t first = 0;
  for (size_t i = 0; i < readings.size(); ++i) {
    const int64_t length = readings[i].length;
    const int64_t shared = i == first ? 0 : shared_length(readings[i - 1], readings[i]);
    const int64_t most = 2 * shared > length ? 4 * kBatchTokens : kBatchTokens;
    if (i > first && tokens + length - shared > most) {
      batches.push_back(
          RowBuilder(requests, options).build(std::span(readings).subspan(first, i - first)));
      first = i;
      tokens = length;
    } else {
      tokens += length - shared;
    }
  }
  if (first < readings.size())
    batches.push_back(RowBuilder(requests, options).build(std::span(readings).subspan(first)));
  return batches;
}

}  // namespace

std::vector<RequestBatch> make_batches(const std::vector<Request>& requests,
                                       const BatchingOptions& options) {
  return options.pack ? packed_batches(requests, options) : padded_batches(requests, options);
}

}  // namespace wkvq
