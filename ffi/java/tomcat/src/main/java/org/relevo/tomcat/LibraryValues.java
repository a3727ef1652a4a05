package org.relevo.tomcat;

import java.io.ObjectInputFilter;
import java.io.ObjectInputFilter.FilterInfo;
import java.io.ObjectInputFilter.Status;

/**
 * Classes of common libraries that hold values and that Tomcat or a framework puts into sessions by itself: a node that
 * never wrote one reads them at once. Each was read: none runs code that its fields choose.
 */
final class LibraryValues {

    private static final ObjectInputFilter VALUES = ObjectInputFilter.Config.createFilter(String.join(";",
            // Tomcat: the user, and the request that a login interrupts. No class of Tomcat's lib is learned.
            "org.apache.catalina.realm.GenericPrincipal", "org.apache.catalina.realm.GenericPrincipal$*",
            "org.apache.catalina.ha.authenticator.ClusterSingleSignOnListener",
            "org.apache.catalina.authenticator.SingleSignOnListener", "org.apache.catalina.authenticator.SavedRequest",
            "jakarta.servlet.http.Cookie", "org.apache.tomcat.util.buf.AbstractChunk",
            "org.apache.tomcat.util.buf.ByteChunk",
            // Spring Security: the user, the user's rights and address.
            "org.springframework.security.core.context.SecurityContextImpl",
            "org.springframework.security.core.userdetails.User",
            "org.springframework.security.core.userdetails.User$AuthorityComparator",
            "org.springframework.security.core.authority.SimpleGrantedAuthority",
            "org.springframework.security.core.authority.FactorGrantedAuthority",
            "org.springframework.security.authentication.AbstractAuthenticationToken",
            "org.springframework.security.authentication.UsernamePasswordAuthenticationToken",
            "org.springframework.security.authentication.RememberMeAuthenticationToken",
            "org.springframework.security.authentication.AnonymousAuthenticationToken",
            "org.springframework.security.web.authentication.WebAuthenticationDetails",
            "org.springframework.security.web.authentication.preauth.PreAuthenticatedAuthenticationToken",
            // Its errors, which it shows after the redirect of a failed login.
            "org.springframework.security.core.AuthenticationException",
            "org.springframework.security.core.userdetails.UsernameNotFoundException",
            "org.springframework.security.authentication.BadCredentialsException",
            "org.springframework.security.authentication.AccountStatusException",
            "org.springframework.security.authentication.AccountExpiredException",
            "org.springframework.security.authentication.CredentialsExpiredException",
            "org.springframework.security.authentication.DisabledException",
            "org.springframework.security.authentication.LockedException",
            // Its token against forged forms, and the request that a login interrupts.
            "org.springframework.security.web.csrf.DefaultCsrfToken",
            "org.springframework.security.web.savedrequest.DefaultSavedRequest",
            "org.springframework.security.web.savedrequest.SavedCookie",
            // Its logins by OAuth 2 and OpenID Connect: names, claims and times.
            "org.springframework.security.oauth2.client.authentication.OAuth2AuthenticationToken",
            "org.springframework.security.oauth2.core.AbstractOAuth2Token",
            "org.springframework.security.oauth2.core.AuthorizationGrantType",
            "org.springframework.security.oauth2.core.OAuth2AccessToken",
            "org.springframework.security.oauth2.core.OAuth2AccessToken$TokenType",
            "org.springframework.security.oauth2.core.OAuth2RefreshToken",
            "org.springframework.security.oauth2.core.endpoint.OAuth2AuthorizationRequest",
            "org.springframework.security.oauth2.core.endpoint.OAuth2AuthorizationResponseType",
            "org.springframework.security.oauth2.core.oidc.OidcIdToken",
            "org.springframework.security.oauth2.core.oidc.OidcUserInfo",
            "org.springframework.security.oauth2.core.oidc.user.DefaultOidcUser",
            "org.springframework.security.oauth2.core.oidc.user.OidcUserAuthority",
            "org.springframework.security.oauth2.core.user.DefaultOAuth2User",
            "org.springframework.security.oauth2.core.user.OAuth2UserAuthority",
            // Spring MVC: what one request leaves for the next, and the maps in it.
            "org.springframework.web.servlet.FlashMap", "org.springframework.util.LinkedMultiValueMap",
            "org.springframework.util.MultiValueMapAdapter", "org.springframework.util.LinkedCaseInsensitiveMap",
            "org.springframework.util.LinkedCaseInsensitiveMap$1"));

    private LibraryValues() {
    }

    static boolean has(FilterInfo info) {
        return VALUES.checkInput(info) == Status.ALLOWED;
    }
}
