package org.relevo;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.List;

import org.junit.jupiter.api.Test;

class PlatformTest {

    @Test
    void muslComesSecondOnLinux() {
        assertEquals(List.of("linux_x86_64", "linux_musl_x86_64"), Platform.names("Linux", "amd64"));
        assertEquals(List.of("linux_aarch64", "linux_musl_aarch64"), Platform.names("Linux", "aarch64"));
    }

    @Test
    void everyArmOf32BitsHasOneName() {
        assertEquals("linux_arm", Platform.names("Linux", "arm").get(0));
    }

    @Test
    void otherSystemsHaveOneName() {
        assertEquals(List.of("mac_os_x_aarch64"), Platform.names("Mac OS X", "aarch64"));
    }
}
