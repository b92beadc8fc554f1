#include "data/tar.h"

#include <gtest/gtest.h>

#include "base/cursor.h"
#include "data/test_pictures.h"

namespace pare::data {
namespace {

Result<std::vector<TarEntry>> List(std::string_view bytes) {
  const std::vector<char> exact(bytes.begin(), bytes.end());
  return ListTar(std::as_bytes(std::span(exact)));
}

TEST(Tar, FindsFilesAndContents) {
  const std::string tar = TarMember("a/", "", '5') + TarMember("a/one.txt", "first") +
                          TarMember("two", std::string(700, 'x')) +
                          TarMember("file", "3", '0', "far/away") + TarMember("link", "", '2') +
                          TarEnd();
  const auto entries = List(tar);
  ASSERT_TRUE(entries) << entries.error().message();
  ASSERT_EQ(entries->size(), 3u);
  EXPECT_EQ((*entries)[0].name, "a/one.txt");
  EXPECT_EQ(tar.substr((*entries)[0].offset, (*entries)[0].size), "first");
  EXPECT_EQ(tar.substr((*entries)[1].offset, (*entries)[1].size), std::string(700, 'x'));
  EXPECT_EQ((*entries)[2].name, "far/away/file");
  EXPECT_EQ(tar.substr((*entries)[2].offset, (*entries)[2].size), "3");
}

TEST(Tar, LongNamesOfGnuAndPax) {
  const std::string gnu(180, 'g'), pax(200, 'p');
  const std::string record = "209 path=" + pax.substr(0, 199) + "\n";
  ASSERT_EQ(record.size(), 209u);
  const std::string tar = TarMember("pax_global_header", "16 comment=none\n", 'g') +
                          TarMember("././@LongLink", gnu + '\0', 'L') + TarMember("short", "1") +
                          TarMember("PaxHeaders/x", record, 'x') + TarMember("short", "2") +
                          TarMember("plain", "3") + TarEnd();
  const auto entries = List(tar);
  ASSERT_TRUE(entries) << entries.error().message();
  ASSERT_EQ(entries->size(), 3u);
  EXPECT_EQ((*entries)[0].name, gnu);
  EXPECT_EQ((*entries)[1].name, pax.substr(0, 199));
  EXPECT_EQ((*entries)[2].name, "plain");
}

TEST(Tar, PaxSizeWins) {
  const std::string content(600, 'c');
  std::string member = TarMember("big", content);
  const std::string zero_size = TarMember("big", "");
  member.replace(0, 512, zero_size.substr(0, 512));
  const auto entries = List(TarMember("x", "12 size=600\n", 'x') + member + TarEnd());
  ASSERT_TRUE(entries) << entries.error().message();
  EXPECT_EQ((*entries)[0].size, 600u);
}

TEST(Tar, DamageIsAnError) {
  const std::string good = TarMember("one", "content") + TarMember("two", std::string(2000, 'x'));
  EXPECT_FALSE(List(std::string(512, 'j')));
  EXPECT_FALSE(List(good.substr(0, 1800)));  // cut off in the second
  EXPECT_NE(List(good.substr(0, 1800)).error().message().find("two"), std::string::npos);
  std::string flipped = good;
  flipped[3] = 'X';
  EXPECT_FALSE(List(flipped));
  for (const char* record : {"99 path=x\n", "0 \n", "6 path\n", "x", "10 size=a\n", "-5 a=b\n"}) {
    EXPECT_FALSE(List(TarMember("x", record, 'x') + good)) << record;
  }
  EXPECT_NE(List(good).error().message().find("cut off after two"), std::string::npos);
  EXPECT_FALSE(List(good + std::string(100, '\0')));
  EXPECT_TRUE(List(good + TarEnd()));
  EXPECT_TRUE(List(TarEnd())->empty());
}

}  // namespace
}  // namespace pare::data
