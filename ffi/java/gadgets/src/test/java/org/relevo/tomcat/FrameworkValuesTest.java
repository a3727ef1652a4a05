package org.relevo.tomcat;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.time.Instant;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CopyOnWriteArrayList;

import javax.servlet.http.Cookie;

import org.apache.catalina.core.StandardContext;
import org.junit.jupiter.api.Test;
import org.springframework.security.authentication.AnonymousAuthenticationToken;
import org.springframework.security.authentication.BadCredentialsException;
import org.springframework.security.authentication.LockedException;
import org.springframework.security.authentication.RememberMeAuthenticationToken;
import org.springframework.security.authentication.UsernamePasswordAuthenticationToken;
import org.springframework.security.core.GrantedAuthority;
import org.springframework.security.core.authority.AuthorityUtils;
import org.springframework.security.core.context.SecurityContextImpl;
import org.springframework.security.core.userdetails.User;
import org.springframework.security.oauth2.client.authentication.OAuth2AuthenticationToken;
import org.springframework.security.oauth2.core.endpoint.OAuth2AuthorizationRequest;
import org.springframework.security.oauth2.core.oidc.OidcIdToken;
import org.springframework.security.oauth2.core.oidc.OidcUserInfo;
import org.springframework.security.oauth2.core.oidc.user.DefaultOidcUser;
import org.springframework.security.oauth2.core.oidc.user.OidcUserAuthority;
import org.springframework.security.oauth2.core.user.DefaultOAuth2User;
import org.springframework.security.oauth2.core.user.OAuth2UserAuthority;
import org.springframework.security.web.authentication.WebAuthenticationDetails;
import org.springframework.security.web.authentication.preauth.PreAuthenticatedAuthenticationToken;
import org.springframework.security.web.csrf.DefaultCsrfToken;
import org.springframework.security.web.savedrequest.DefaultSavedRequest;
import org.springframework.security.web.savedrequest.SavedCookie;
import org.springframework.web.servlet.FlashMap;

/** The values that Spring Security and Spring MVC put into sessions, read by a node that hasn't written any yet. */
class FrameworkValuesTest {

    private static final List<GrantedAuthority> RIGHTS = AuthorityUtils.createAuthorityList("ROLE_USER", "ROLE_ADMIN");

    private static Map<String, Object> values() {
        Map<String, Object> values = new LinkedHashMap<>();
        UsernamePasswordAuthenticationToken login = new UsernamePasswordAuthenticationToken(
                new User("anna", "secret", RIGHTS), null, RIGHTS);
        login.setDetails(new WebAuthenticationDetails("127.0.0.1", "6B94"));
        values.put("login", new SecurityContextImpl(login));
        values.put("remembered", new SecurityContextImpl(new RememberMeAuthenticationToken("key", "anna", RIGHTS)));
        values.put("anonymous", new SecurityContextImpl(new AnonymousAuthenticationToken("key", "anna", RIGHTS)));
        values.put("certificate", new SecurityContextImpl(new PreAuthenticatedAuthenticationToken("anna", "x", RIGHTS)));
        values.put("wrong", new BadCredentialsException("Bad credentials"));
        values.put("locked", new LockedException("locked"));
        values.put("csrf", new DefaultCsrfToken("X-CSRF-TOKEN", "_csrf", "token"));
        values.put("request", new DefaultSavedRequest.Builder().setMethod("GET").setServerName("localhost")
                .setRequestURI("/page").setCookies(List.of(new SavedCookie(new Cookie("a", "b")))).build());
        FlashMap flash = new FlashMap();
        flash.put("message", "saved");
        flash.addTargetRequestParam("id", "7");
        values.put("flash", new CopyOnWriteArrayList<>(List.of(flash)));
        openId(values);
        return values;
    }

    private static void openId(Map<String, Object> values) {
        Map<String, Object> claims = Map.of("sub", "anna", "name", "Anna", "iss", "https://localhost");
        DefaultOAuth2User user = new DefaultOAuth2User(Set.of(new OAuth2UserAuthority(claims)), claims, "name");
        values.put("oauth2", new SecurityContextImpl(new OAuth2AuthenticationToken(user, user.getAuthorities(), "local")));
        OidcIdToken token = new OidcIdToken("token", Instant.EPOCH, Instant.EPOCH.plusSeconds(60), claims);
        OidcUserInfo info = new OidcUserInfo(claims);
        DefaultOidcUser oidc = new DefaultOidcUser(Set.of(new OidcUserAuthority(token, info)), token, info);
        values.put("oidc", new SecurityContextImpl(new OAuth2AuthenticationToken(oidc, oidc.getAuthorities(), "local")));
        values.put("redirect", OAuth2AuthorizationRequest.authorizationCode().authorizationUri("https://localhost/login")
                .clientId("shop").redirectUri("https://localhost/back").state("x").build());
    }

    @Test
    void whatSpringWritesPassesUntouched() {
        AttributeCodec writer = new AttributeCodec(new StandardContext(), new ObjectFilter(null));
        List<String> failed = new ArrayList<>();
        values().forEach((name, value) -> {
            AttributeCodec reader = new AttributeCodec(new StandardContext(), new ObjectFilter(null));
            try {
                Object read = reader.read(writer.write(value, type -> failed.add(name + " will be refused: " + type)));
                if (!read.getClass().equals(value.getClass())) {
                    failed.add(name + " is another one");
                }
            } catch (Exception | LinkageError e) {
                failed.add(name + ": " + e.getMessage());
            }
        });
        assertEquals(List.of(), failed);
    }
}
