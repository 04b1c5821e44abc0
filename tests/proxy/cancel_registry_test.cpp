#include "proxy/cancel_registry.hpp"

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

namespace pgmemo::proxy {
namespace {

class CancelKeys : public testing::Test {
protected:
    std::shared_ptr<CancelRegistry::Slot> busy(std::uint32_t pid = 4711, std::string_view secret = "abcd",
                                               std::size_t host = 1)
    {
        auto slot = registry.add({pid, std::string{secret}, host, std::nullopt, false}, secret.size());
        slot->cancellable = true;
        return slot;
    }
    CancelRegistry registry;
};

TEST_F(CancelKeys, LeadToTheBackendOfTheirSession)
{
    const auto slot = busy();
    const auto target = registry.find(slot->pid, slot->secret);
    ASSERT_TRUE(target);
    EXPECT_EQ(target->pid, 4711u);
    EXPECT_EQ(target->secret, "abcd");
    EXPECT_EQ(target->host, 1u);
}

TEST_F(CancelKeys, SayNothingOfTheServers)
{
    const auto slot = busy(4711, std::string(32, 's'));
    EXPECT_EQ(slot->secret.size(), 32u) << "as long as the protocol has made it";
    EXPECT_NE(slot->secret, std::string(32, 's'));
    EXPECT_FALSE(registry.find(4711, std::string(32, 's')));
}

TEST_F(CancelKeys, AreAllDifferentAndPositive)
{
    std::set<std::uint32_t> pids;
    std::set<std::string> secrets;
    std::vector<std::shared_ptr<CancelRegistry::Slot>> slots;
    for (int i = 0; i < 1000; ++i) {
        const auto& slot = slots.emplace_back(registry.add({1, std::string(16, 's'), 0, std::nullopt, false}, 16));
        EXPECT_GT(slot->pid, 0u);
        EXPECT_LT(slot->pid, 0x80000000u);
        pids.insert(slot->pid);
        secrets.insert(slot->secret);
    }
    EXPECT_EQ(pids.size(), 1000u);
    EXPECT_EQ(secrets.size(), 1000u);
}

TEST_F(CancelKeys, OpenNothingWithAnotherSecret)
{
    const auto slot = busy();
    auto wrong = slot->secret;
    wrong[0] = static_cast<char>(wrong[0] ^ 1);
    EXPECT_FALSE(registry.find(slot->pid, wrong));
    EXPECT_FALSE(registry.find(slot->pid, ""));
    EXPECT_FALSE(registry.find(slot->pid, slot->secret.substr(0, 3)));
    EXPECT_FALSE(registry.find(slot->pid, slot->secret + '\0'));
    EXPECT_FALSE(registry.find(slot->pid + 1, slot->secret));
}

TEST_F(CancelKeys, OpenNothingWhileNothingRunsUpstream)
{
    const auto slot = registry.add({4711, "abcd", 0, std::nullopt, false}, 4);
    EXPECT_FALSE(registry.find(slot->pid, slot->secret));
    slot->cancellable = true;
    EXPECT_TRUE(registry.find(slot->pid, slot->secret));
    slot->cancellable = false;
    EXPECT_FALSE(registry.find(slot->pid, slot->secret));
}

TEST_F(CancelKeys, EndWithTheirSession)
{
    const auto slot = busy();
    const auto stays = busy();
    registry.remove(*slot);
    EXPECT_FALSE(registry.find(slot->pid, slot->secret));
    EXPECT_TRUE(registry.find(stays->pid, stays->secret));
    registry.remove(*slot); // once more does no harm
}

} // namespace
} // namespace pgmemo::proxy
