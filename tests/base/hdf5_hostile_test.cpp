#include <functional>

#include "core/base/files/seal.h"
#include "core/base/hdf5/hdf5.h"
#include "tests/support/catch.h"

using namespace wkvq;
using hdf5::Handle;
using hdf5::Reader;
using hdf5::Writer;

namespace {

/// A file made with HDF5's own functions: what our writer would never write.
std::filesystem::path raw_file(const test::TemporaryFolder& folder,
                               const std::function<void(hid_t)>& fill) {
  const auto path = folder / "raw.h5";
  const Handle file(H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT), H5Fclose);
  fill(file);
  return path;
}

void dataset(hid_t file, const char* name, hid_t type, std::vector<hsize_t> shape,
             const Handle& layout) {
  const Handle space(H5Screate_simple(static_cast<int>(shape.size()), shape.data(), nullptr),
                     H5Sclose);
  const Handle made(H5Dcreate2(file, name, type, space, H5P_DEFAULT, layout, H5P_DEFAULT),
                    H5Dclose);
  REQUIRE(made.valid());
}

Handle layout() {
  return {H5Pcreate(H5P_DATASET_CREATE), H5Pclose};
}

Handle chunks_of(hsize_t size) {
  Handle result = layout();
  H5Pset_chunk(result, 1, &size);
  return result;
}

std::string read_bytes(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace

TEST_CASE("hdf5: files that are none are refused") {
  const test::TemporaryFolder folder;
  test::write_file(folder / "text.h5", "no HDF5 here, only words and more words");
  test::write_file(folder / "empty.h5", "");
  REQUIRE_CONFIG_ERROR(Reader(folder / "text.h5"), "not a readable HDF5 file");
  REQUIRE_CONFIG_ERROR(Reader(folder / "text.h5"), "signature");
  REQUIRE_CONFIG_ERROR(Reader(folder / "empty.h5"), "not a readable HDF5 file");
  REQUIRE_CONFIG_ERROR(Reader(folder / "missing.h5"), "no such file");
  REQUIRE_CONFIG_ERROR(Reader(folder.path()), "a folder, expected a regular file");
}

TEST_CASE("hdf5: a file cut anywhere is an error, never a crash") {
  const test::TemporaryFolder folder;
  {
    Writer file(folder / "whole.h5");
    file.attribute("/config", "yaml", "a: 1");
    file.column("/rows", "text", std::vector<std::string>(50, "word"));
    file.column("/rows", "f64", std::vector<double>(50, 0.5));
    file.close();
  }
  const std::string whole = read_bytes(folder / "whole.h5");
  // Without its seal: as other programs write files.
  const std::string bare = whole.substr(kSealBytes);
  test::write_file(folder / "bare.h5", bare);
  CHECK(Reader(folder / "bare.h5").attribute("/config", "yaml") == AttributeValue("a: 1"));
  for (size_t size = 0; size < bare.size(); size += 97) {
    test::write_file(folder / "cut.h5", bare.substr(0, size));
    INFO("without a seal, cut at " << size);
    CHECK(!test::error_of([&] { Reader(folder / "cut.h5"); }).empty());
  }
  for (size_t size = 0; size < whole.size(); size += 97) {
    test::write_file(folder / "cut.h5", whole.substr(0, size));
    INFO("cut at " << size);
    CHECK(!test::error_of([&] { Reader(folder / "cut.h5"); }).empty());
  }
}

TEST_CASE("hdf5: claims that the stored bytes cannot explain take no memory") {
  const test::TemporaryFolder folder;
  const auto path = raw_file(folder, [](hid_t file) {
    dataset(file, "sparse", H5T_NATIVE_DOUBLE, {hsize_t{1} << 40}, chunks_of(1024));
    dataset(file, "overflow", H5T_NATIVE_DOUBLE, {hsize_t{1} << 62}, chunks_of(1024));
    dataset(file, "medium", H5T_NATIVE_UINT8, {hsize_t{1} << 24}, chunks_of(1024));
    dataset(file, "chunk", H5T_NATIVE_DOUBLE, {hsize_t{1} << 26}, chunks_of(hsize_t{1} << 25));
    dataset(file, "unwritten", H5T_NATIVE_DOUBLE, {hsize_t{1} << 30}, layout());
  });
  const Reader file(path);
  for (const char* name : {"sparse", "medium", "unwritten"}) {
    INFO(name);
    REQUIRE_CONFIG_ERROR(file.column("/", name), "claims");
    REQUIRE_CONFIG_ERROR(file.array("/", name), "claims");
  }
  REQUIRE_CONFIG_ERROR(file.column("/", "overflow"), "overflows");
  REQUIRE_CONFIG_ERROR(file.column("/", "chunk"), "chunks above");
}

TEST_CASE("hdf5: wrong types and shapes are named") {
  const test::TemporaryFolder folder;
  const auto path = raw_file(folder, [](hid_t file) {
    const Handle pair(H5Tcreate(H5T_COMPOUND, 16), H5Tclose);
    H5Tinsert(pair, "x", 0, H5T_NATIVE_DOUBLE);
    dataset(file, "compound", pair, {3}, layout());
    dataset(file, "matrix", H5T_NATIVE_DOUBLE, {2, 2}, layout());
    dataset(file, "reference", H5T_STD_REF_OBJ, {2}, layout());
    const hsize_t two = 2;
    const Handle space(H5Screate_simple(1, &two, nullptr), H5Sclose);
    const Handle list(H5Acreate2(file, "list", H5T_NATIVE_DOUBLE, space, H5P_DEFAULT, H5P_DEFAULT),
                      H5Aclose);
    const Handle scalar(H5Screate(H5S_SCALAR), H5Sclose);
    const Handle odd(H5Acreate2(file, "odd", pair, scalar, H5P_DEFAULT, H5P_DEFAULT), H5Aclose);
  });
  const Reader file(path);
  REQUIRE_CONFIG_ERROR(file.column("/", "compound"), "unsupported type");
  REQUIRE_CONFIG_ERROR(file.array("/", "compound"), "not numbers");
  REQUIRE_CONFIG_ERROR(file.column("/", "matrix"), "2 dimensions; expected 1");
  REQUIRE_CONFIG_ERROR(file.column("/", "reference"), "unsupported type");
  REQUIRE_CONFIG_ERROR(file.column("/", "missing"), "column 'missing' of /: missing");
  REQUIRE_CONFIG_ERROR(file.attribute("/", "list"), "not a scalar");
  REQUIRE_CONFIG_ERROR(file.attribute("/", "odd"), "unsupported type");
  REQUIRE_CONFIG_ERROR(file.attributes("/"), "attribute 'list'");
}

TEST_CASE("hdf5: links to elsewhere are not followed") {
  const test::TemporaryFolder folder;
  const auto path = raw_file(folder, [](hid_t file) {
    Handle(H5Gcreate2(file, "real", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT), H5Gclose);
    H5Lcreate_external("other.h5", "/", file, "external", H5P_DEFAULT, H5P_DEFAULT);
    H5Lcreate_soft("/real", file, "soft", H5P_DEFAULT, H5P_DEFAULT);
    H5Lcreate_hard(file, "/", file, "loop", H5P_DEFAULT, H5P_DEFAULT);
    const Handle outside = layout();
    H5Pset_external(outside, "/etc/passwd", 0, 80);
    dataset(file, "outside", H5T_NATIVE_DOUBLE, {10}, outside);
  });
  const Reader file(path);
  CHECK(file.groups("/") == std::vector<std::string>{"loop", "real"});
  CHECK(!file.has_group("/external"));
  CHECK(!file.has_group("/soft"));
  CHECK(file.has_group("/real"));
  REQUIRE_CONFIG_ERROR(file.column("/", "outside"), "other files");
}

TEST_CASE("hdf5: foreign but sound attributes are read") {
  const test::TemporaryFolder folder;
  const auto path = raw_file(folder, [](hid_t file) {
    const Handle scalar(H5Screate(H5S_SCALAR), H5Sclose);
    const Handle fixed(H5Tcopy(H5T_C_S1), H5Tclose);
    H5Tset_size(fixed, 8);
    const Handle text(H5Acreate2(file, "text", fixed, scalar, H5P_DEFAULT, H5P_DEFAULT), H5Aclose);
    H5Awrite(text, fixed, "four\0\0\0");
    const Handle byte(H5Acreate2(file, "byte", H5T_STD_U8BE, scalar, H5P_DEFAULT, H5P_DEFAULT),
                      H5Aclose);
    const int value = 200;
    H5Awrite(byte, H5T_NATIVE_INT, &value);
  });
  const Reader file(path);
  CHECK(file.attribute("/", "text") == AttributeValue("four"));
  CHECK(file.attribute("/", "byte") == AttributeValue(int64_t{200}));
}
